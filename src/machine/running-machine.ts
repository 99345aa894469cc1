import { copyFile, rename } from 'node:fs/promises';
import { resolve } from 'node:path';
import type { StartedProcess } from '../process/start.ts';
import { findFault, type MachineExit, type MachineFault, makeMachineExit } from './machine-exit.ts';
import { descend, type Rung } from './power-ladder.ts';
import type { QmpConnection, QmpEvent } from './qmp.ts';
import type { SerialLog } from './serial-log.ts';

const quitLimitMs = 3_000;
const terminateLimitMs = 3_000;
const killLimitMs = 5_000;

export interface MachineParts {
  readonly process: StartedProcess;
  readonly qmp: QmpConnection;
  readonly sshPort: number | undefined;
  readonly serialLog: SerialLog;
  readonly serialLogPath: string;
  /** Where the screen is saved when the machine fails, for QEMU cannot be asked later. */
  readonly faultScreenPath: string;
}

/** One supervised QEMU process. */
export class RunningMachine {
  readonly pid: number;
  readonly serialLogPath: string;
  /** Settles when QEMU has ended and everything it wrote has been read; never rejects. */
  readonly exited: Promise<MachineExit>;
  readonly qmp: QmpConnection;
  /** Port on 127.0.0.1 that leads to the guest's port 22; undefined without a forward. */
  readonly sshPort: number | undefined;
  readonly #parts: MachineParts;
  #fault: MachineFault | undefined;
  #shutdownReason: string | undefined;
  #savedScreen: Promise<string | undefined> | undefined;

  constructor(parts: MachineParts) {
    this.#parts = parts;
    this.pid = parts.process.pid;
    this.qmp = parts.qmp;
    this.sshPort = parts.sshPort;
    this.serialLogPath = parts.serialLogPath;
    this.exited = this.#awaitExit();
    parts.qmp.onEvent((event) => this.#takeEvent(event));
  }

  hasExited(): boolean {
    return this.#parts.process.hasExited();
  }

  /** The last lines of the guest's serial console, oldest first, with an unfinished one at the end. */
  lastSerialLines(count: number): readonly string[] {
    return this.#parts.serialLog.lastLines(count);
  }

  /**
   * Writes what the display shows as PNG. Gives the path, or undefined where there is no picture: QEMU before 7.1, or
   * a machine that has ended (unless by a failure whose screen was kept). Never throws.
   */
  async screenshot(path: string): Promise<string | undefined> {
    try {
      const saved = await this.#savedScreen;
      const partial = `${resolve(path)}.partial`;
      if (saved !== undefined) await copyFile(saved, partial);
      else await this.qmp.execute('screendump', { filename: partial, format: 'png' });
      await rename(partial, path);
      return path;
    } catch {
      return undefined;
    }
  }

  /**
   * From now on the first disk writes to `overlayPath`, a qcow2 file that names the present file as its backing file; the
   * present file is complete and stays as it is.
   */
  async switchToOverlay(overlayPath: string): Promise<void> {
    const overlay = { 'snapshot-file': resolve(overlayPath), format: 'qcow2', mode: 'existing' };
    await this.qmp.execute('blockdev-snapshot-sync', { device: 'disk0', ...overlay });
  }

  /** Presses the power button, and after `graceMs` goes on less gently until the machine has ended. */
  powerDown({ graceMs }: { readonly graceMs: number }): Promise<MachineExit> {
    const button: Rung = {
      name: 'the power button',
      act: () => this.qmp.execute('system_powerdown'),
      limitMs: graceMs,
    };
    return descend([button, ...this.#endingRungs()], this.exited);
  }

  /** Ends the machine without asking the guest. */
  end(): Promise<MachineExit> {
    return descend(this.#endingRungs(), this.exited);
  }

  /** Ends the machine by SIGKILL. */
  kill(): Promise<MachineExit> {
    return descend([this.#killRung()], this.exited);
  }

  #takeEvent(event: QmpEvent): void {
    if (event.event === 'SHUTDOWN') this.#shutdownReason = String(event.data.reason);
    const fault = findFault(event);
    if (fault) this.#fail(fault);
    if (event.event === 'STOP') void this.#checkInternalError();
  }

  /** A KVM that gives up leaves the machine stopped for ever. */
  async #checkInternalError(): Promise<void> {
    const status = await this.qmp.execute('query-status').catch(() => undefined);
    if (status?.status !== 'internal-error') return;
    this.#fail({ kind: 'crashed', description: 'The accelerator gave up on the guest (QEMU: internal error).' });
  }

  #fail(fault: MachineFault): void {
    if (this.#fault) return;
    this.#fault = fault;
    this.#savedScreen = this.screenshot(this.#parts.faultScreenPath);
    void this.#savedScreen.then(() => this.end()).catch(() => {});
  }

  #endingRungs(): Rung[] {
    return [
      { name: 'quit', act: () => this.qmp.execute('quit'), limitMs: quitLimitMs },
      { name: 'SIGTERM', act: () => this.#parts.process.kill('SIGTERM'), limitMs: terminateLimitMs },
      this.#killRung(),
    ];
  }

  #killRung(): Rung {
    return { name: 'SIGKILL', act: () => this.#parts.process.kill('SIGKILL'), limitMs: killLimitMs };
  }

  async #awaitExit(): Promise<MachineExit> {
    const exit = await this.#parts.process.exited;
    await this.qmp.closed;
    await this.#parts.serialLog.finish();
    return makeMachineExit(exit, this.#fault, this.#shutdownReason);
  }
}
