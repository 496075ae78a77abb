// The replicas of a running pipeline, by component, each with its log. Who is on it, and how it is found by name.
import { join } from 'node:path';
import { UnitNotFoundError, closest } from '../errors.js';
import { LogFile, type Rotation } from './log-file.js';
import type { Component } from './model.js';
import { ComponentUnit, type UnitContext } from './unit.js';

export interface RosterOptions {
  /** Undefined: no logs. */
  readonly logDir: string | undefined;
  readonly rotation: () => Rotation;
  /** Hears of logs that cannot be written. */
  readonly onTrouble: (message: string) => void;
  readonly context: UnitContext;
}

export class Roster {
  readonly #options: RosterOptions;
  readonly #units = new Map<string, ComponentUnit[]>();
  readonly #logs = new Map<string, LogFile>();

  constructor(options: RosterOptions) {
    this.#options = options;
  }

  /** The replicas of a component; empty when there is none of that name. */
  of(id: string): readonly ComponentUnit[] {
    return this.#units.get(id) ?? [];
  }

  all(): ComponentUnit[] {
    return [...this.#units.values()].flat();
  }

  unit(id: string): ComponentUnit | undefined {
    return this.all().find((unit) => unit.id === id);
  }

  /** All replicas of a component, or one replica. @throws UnitNotFoundError */
  find(id: string): readonly ComponentUnit[] {
    const unit = this.unit(id);
    return this.#units.get(id) ?? (unit ? [unit] : this.unknown(id));
  }

  unknown(id: string): never {
    const suggestion = closest(id, this.all().map((unit) => unit.id));
    throw new UnitNotFoundError(`component not found: ${id}${suggestion ? `; did you mean '${suggestion}'?` : ''}`, { id });
  }

  /** Makes the replicas that are missing. */
  adopt(component: Component): void {
    const units = this.#units.get(component.id) ?? [];
    while (units.length < component.replicas) {
      const unit = new ComponentUnit(component, units.length, this.#options.context);
      units.push(unit);
      const { logDir, rotation, onTrouble } = this.#options;
      if (logDir !== undefined) this.#logs.set(unit.id, new LogFile(join(logDir, `${unit.id}.log`), rotation, onTrouble));
    }
    this.#units.set(component.id, units);
  }

  /** Drops replicas from number `keep` on, which are down already; answers their ids. */
  async forget(id: string, keep: number): Promise<string[]> {
    const dropped = this.#units.get(id)?.splice(keep) ?? [];
    for (const unit of dropped) {
      await this.#logs.get(unit.id)?.close();
      this.#logs.delete(unit.id);
    }
    return dropped.map((unit) => unit.id);
  }

  /** For a component that is no longer in the file. */
  strike(id: string): void {
    this.#units.delete(id);
  }

  log(id: string): LogFile | undefined {
    return this.#logs.get(id);
  }

  async close(): Promise<void> {
    await Promise.all([...this.#logs.values()].map((log) => log.close()));
  }
}
