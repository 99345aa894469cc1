import { randomUUID } from 'node:crypto';
import { chmod, copyFile, mkdir, writeFile } from 'node:fs/promises';
import { join } from 'node:path';
import { KvmimgError, systemErrorCode } from '../errors.ts';
import { makeSocketFolder } from '../host/socket-folder.ts';
import type { Scope } from '../lifecycle/scope.ts';
import { type StartedProcess, start } from '../process/start.ts';
import { waitUntil } from '../wait/wait-until.ts';
import { parseForwardedSshPort } from './host-forward.ts';
import { makeMachineConfig } from './machine-config.ts';
import { type MachinePaths, makeMachinePaths, qmpSocketName } from './machine-paths.ts';
import type { MachineSpec } from './machine-spec.ts';
import { qemuArgs } from './qemu-args.ts';
import { findQemu, readQemuFacts } from './qemu-facts.ts';
import { QmpConnection } from './qmp.ts';
import { RunningMachine } from './running-machine.ts';
import { followSerialLog } from './serial-log.ts';
import { makeSmbiosSystemTable } from './smbios.ts';

export interface StartMachineOptions {
  /** Default: QEMU for the machine's architecture, from the PATH. */
  readonly binary?: string;
  /** For this machine alone; made if it is not there. What it writes stays until the caller removes it. */
  readonly workDir: string;
  /** The machine ends with it at the latest. */
  readonly scope: Scope;
  /** Ends the wait for the start, not the machine. */
  readonly signal: AbortSignal;
  /** Gets each line of the serial console, and an unfinished line that has come to rest. Must not throw. */
  readonly onSerialLine?: (line: string) => void;
}

const connectLimitMs = 30_000;

/**
 * Starts a machine and gives it when its guest runs.
 *
 * @throws KvmimgError `qemu-start` with QEMU's own words when it ends at once, `wait-limit`, `program-missing`,
 *   `kernel-arguments`.
 */
export async function startMachine(spec: MachineSpec, options: StartMachineOptions): Promise<RunningMachine> {
  const binary = options.binary ?? (await findQemu(spec.arch));
  const facts = await readQemuFacts(binary, options.signal);
  await mkdir(options.workDir, { recursive: true });
  await chmod(options.workDir, 0o700);
  const socketDir = await makeSocketFolder(options.workDir, qmpSocketName.length, options.scope);
  const paths = makeMachinePaths(options.workDir, socketDir);
  await writeMachineFiles(spec, paths);
  const serialLog = await followSerialLog(paths.serialLog, options.onSerialLine);
  options.scope.defer('serial log', () => serialLog.finish());
  const process = await start(binary, qemuArgs(spec, paths, facts));
  options.scope.defer(`QEMU (process ${process.pid})`, async () => {
    process.kill('SIGKILL');
    await process.exited;
  });
  const qmp = await connectQmp(paths.qmpSocket, process, options.signal);
  const machine = new RunningMachine({
    process,
    qmp,
    sshPort: spec.network?.sshForward ? await readSshPort(qmp) : undefined,
    serialLog,
    serialLogPath: paths.serialLog,
    faultScreenPath: join(options.workDir, 'fault.png'),
  });
  options.scope.defer(`machine (process ${process.pid})`, async () => {
    await machine.end();
  });
  await qmp.execute('cont');
  return machine;
}

async function writeMachineFiles(spec: MachineSpec, paths: MachinePaths): Promise<void> {
  const mode = 0o600;
  if (spec.directBoot) await writeFile(paths.config, makeMachineConfig(spec.directBoot), { mode });
  if (spec.firmware.kind === 'uefi') {
    await copyFile(spec.firmware.varsTemplatePath, paths.vars);
    await chmod(paths.vars, mode);
  }
  if (spec.smbiosSystemSerial !== undefined) {
    await writeFile(paths.smbios, makeSmbiosSystemTable(spec.smbiosSystemSerial, randomUUID()), { mode });
  }
}

function connectQmp(socketPath: string, process: StartedProcess, signal: AbortSignal): Promise<QmpConnection> {
  return waitUntil({
    subject: 'QEMU to accept a control connection',
    limitMs: connectLimitMs,
    intervalMs: 25,
    signal,
    check: async () => {
      if (process.hasExited()) throw await startFailure(process);
      try {
        return await QmpConnection.open(socketPath);
      } catch (error) {
        if (['ENOENT', 'ECONNREFUSED', 'qmp-closed'].includes(codeOf(error))) return undefined;
        throw error;
      }
    },
  });
}

function codeOf(error: unknown): string {
  return error instanceof KvmimgError ? error.code : (systemErrorCode(error) ?? '');
}

async function startFailure(process: StartedProcess): Promise<KvmimgError> {
  const exit = await process.exited;
  const how = exit.signal === undefined ? `exit code ${exit.exitCode}` : exit.signal;
  return new KvmimgError({
    code: 'qemu-start',
    message: `QEMU ended as soon as it was started (${how}): ${exit.lastLines.at(-1) ?? 'it said nothing'}`,
    hint: 'Run `kvmimg doctor` to check QEMU, its accelerator and its firmware.',
    evidence: [{ title: "QEMU's last lines", lines: exit.lastLines.slice(-20) }],
  });
}

async function readSshPort(qmp: QmpConnection): Promise<number> {
  const port = parseForwardedSshPort(await qmp.execute('human-monitor-command', { 'command-line': 'info usernet' }));
  if (port !== undefined) return port;
  throw new KvmimgError({
    code: 'qemu-start',
    message: 'QEMU does not say which port it forwards to the guest.',
    hint: 'Run `kvmimg doctor` to check QEMU.',
  });
}
