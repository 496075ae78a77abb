// Whoever hears of a status may act on it at once: what comes of that is what was asked for last, and nothing runs beside it.
import { describe, expect, it } from 'vitest';
import type { ProcessStatus, Remote } from 'mimas';
import { STATUS_STEPS } from '../../src/supervisor/process-status.js';
import { livingChildren } from '../helpers/living.js';
import { FILE, until, type Worker } from '../pool/helpers.js';
import { isolated, manager, reaches, rejection, subjectFile, type Subject } from './helpers.js';

/** The statuses that a process takes, from now on. */
function statusesOf({ $handle }: Remote<Subject>): ProcessStatus[] {
  const all: ProcessStatus[] = [];
  $handle.on('status', ({ to }) => all.push(to));
  return all;
}

const causes = {
  death: (subject: Remote<Subject>) => rejection(subject.exit(1)),
  restart: (subject: Remote<Subject>) => subject.$handle.restart().catch((error: unknown) => error),
  stop: (subject: Remote<Subject>) => subject.$handle.stop(),
};

describe.each(isolated)('in isolation %s', (isolation) => {
  const moments: { cause: keyof typeof causes; at: ProcessStatus }[] = [
    { cause: 'death', at: 'restarting' },
    { cause: 'death', at: 'running' },
    { cause: 'restart', at: 'stopping' },
    { cause: 'restart', at: 'restarting' },
    { cause: 'restart', at: 'running' },
    { cause: 'stop', at: 'stopping' },
    { cause: 'stop', at: 'stopped' },
  ];
  const actions = { restart: 'running', stop: 'stopped', kill: 'stopped' } as const;
  const table = moments.flatMap((moment) => Object.entries(actions).map(([action, end]) => ({ ...moment, action: action as keyof typeof actions, end })));

  it.each(table)('a $action in the moment when a $cause makes it $at ends $end', async ({ cause, at, action, end }) => {
    const subject = await manager({ isolation }).spawn<Subject>(subjectFile);
    const taken = statusesOf(subject);
    const asked = new Promise<unknown>((resolve) => {
      const off = subject.$handle.on('status', ({ to }) => {
        if (to !== at) return;
        off();
        resolve(subject.$handle[action]());
      });
    });
    const caused = causes[cause](subject);
    await asked;
    await caused;
    await reaches(subject, end);
    // Said once, and not taken back.
    expect(taken.filter((status) => status === 'stopped').length).toBe(cause === 'stop' && at === 'stopped' && action === 'restart' ? 1 : end === 'stopped' ? 1 : 0);
    if (end === 'stopped') await subject.$handle.restart();
    expect(await subject.add(1, 2)).toBe(3);
    if (isolation === 'child') expect(livingChildren()).toEqual([subject.$handle.pid]);
  });

  it('who asks last has his way: a restart after a stop that has overtaken a restart', async () => {
    const subject = await manager({ isolation }).spawn<Subject>(subjectFile);
    const first = rejection(subject.$handle.restart());
    const stop = subject.$handle.stop();
    const last = subject.$handle.restart();
    await last;
    expect(await first).toMatchObject({ code: 'PROCESS_STOPPED' });
    await stop;
    expect(subject.$handle.status).toBe('running');
    expect(await subject.count()).toBe(1);
  });

  it('a death does not take along the incarnation that a restart brings up meanwhile', async () => {
    const subject = await manager({ isolation }).spawn<Subject>(subjectFile);
    const incarnations: number[] = [];
    subject.$handle.on('ready', ({ incarnation }) => incarnations.push(incarnation));
    const dead = rejection(subject.exit(1));
    await reaches(subject, 'restarting');
    await subject.$handle.restart();
    await dead;
    expect([await subject.count(), await subject.count()]).toEqual([1, 2]);
    expect(incarnations).toEqual([2]);
  });

  it('a replica that is restarted in the moment of its death stays in its pool', async () => {
    const pm = manager({ isolation });
    const pool = await pm.pool<Worker>(FILE, { size: 1 });
    const restarted = new Promise<unknown>((resolve) => {
      pm.on('status', ({ id, to }) => to === 'restarting' && resolve(pm.restart(id)));
    });
    await rejection(pool.exit(1));
    await restarted;
    expect(await pool.add(1, 2)).toBe(3);
    expect(pool.$handle.replicas().map(({ status }) => status)).toEqual(['running']);
    expect(pm.listProcesses().map(({ id }) => id)).toEqual(pool.$handle.replicas().map(({ id }) => id));
  });

  it('a replica that was stopped by hand and is restarted has its place again, or ends where there is none', async () => {
    const pm = manager({ isolation });
    const pool = await pm.pool<Worker>(FILE, { size: 1 });
    const { id } = pool.$handle.replicas()[0]!;
    await pm.stop(id);
    expect(pool.$handle.size).toBe(0);
    await pm.restart(id);
    expect(pool.$handle.replicas().map((replica) => replica.id)).toEqual([id]);
    expect(await pool.add(1, 2)).toBe(3);
    await pm.stop(id);
    await pool.$handle.scale(1);
    await pm.restart(id).catch(() => {});
    await until(() => pm.getProcess(id)?.status === 'stopped');
    expect(await pool.add(1, 2)).toBe(3);
    expect(pm.listProcesses().filter(({ pid }) => pid !== undefined).map((process) => process.id)).toEqual(pool.$handle.replicas().map((replica) => replica.id));
  });
});

it('the table of statuses names each step once, and every status can be left', () => {
  for (const [from, to] of Object.entries(STATUS_STEPS)) {
    expect(new Set(to).size, from).toBe(to.length);
    expect(to, from).not.toContain(from);
    expect(to.length, from).toBeGreaterThan(0);
  }
});
