// Children must not outlive this program, not even when it is killed with SIGKILL while they are too busy to notice.
// One tiny shell waits at a pipe whose other end only this program holds: when the pipe breaks, it ends what is left.
import { spawn, type ChildProcess } from 'node:child_process';

/** Children notice the end of their channel first, and get this long to run their shutdown hooks. */
const GRACE_SECONDS = 0.5;
// `kill -s KILL -- -pid`: dash takes no `--` behind `-KILL`, and some shells take a negative pid only behind it.
const SCRIPT = `trap '' INT TERM HUP
list=' '
while read -r op pid; do
  case $op in
    +) list="$list$pid " ;;
    -) case $list in *" $pid "*) list="\${list%% $pid *} \${list#* $pid }" ;; esac ;;
  esac
done
[ "$list" = ' ' ] && exit 0
sleep ${GRACE_SECONDS}
for pid in $list; do kill -s KILL -- "-$pid" 2>/dev/null; done
exit 0`;

let guardian: ChildProcess | undefined;
const guarded = new Set<number>();

/** Ends the process group `pid` should this program vanish. */
export function guard(pid: number): void {
  if (process.platform === 'win32' || pid <= 1) return;
  guarded.add(pid);
  if (guardian && guardian.exitCode === null && guardian.signalCode === null) guardian.stdin!.write(`+ ${pid}\n`);
  else guardian = startGuardian();
}

/** The group is gone. The last one sends the guardian home. */
export function unguard(pid: number): void {
  if (!guarded.delete(pid) || !guardian) return;
  guardian.stdin!.write(`- ${pid}\n`);
  if (guarded.size > 0) return;
  guardian.stdin!.end();
  guardian = undefined;
}

function startGuardian(): ChildProcess | undefined {
  // Its own session, so that a Ctrl+C at the terminal does not take it along; exec: no shell of a user's profile.
  const started = spawn('/bin/sh', ['-c', SCRIPT], { stdio: ['pipe', 'ignore', 'ignore'], detached: true, env: { PATH: '/usr/bin:/bin' } });
  started.on('error', () => {});
  // Without a free descriptor there is neither stream nor guardian; the next child starts one for all.
  if (!started.stdin) return undefined;
  started.stdin.on('error', () => {});
  started.unref();
  (started.stdin as unknown as { unref?(): void }).unref?.();
  // All of them: an earlier guardian may have been killed.
  for (const pid of guarded) started.stdin.write(`+ ${pid}\n`);
  return started;
}
