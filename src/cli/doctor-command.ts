import { resolve } from 'node:path';
import { makeDoctorDeps } from '../doctor/doctor-deps.ts';
import { type DoctorOptions, runDoctor } from '../doctor/run-doctor.ts';
import { findCacheDir } from '../host/cache-dir.ts';
import type { Arch } from '../recipe/schema.ts';
import type { CommandContext, CommandStatus } from './command-context.ts';

export interface DoctorFlags extends Partial<DoctorOptions> {
  readonly arch?: Arch;
}

/** `kvmimg doctor`: is this host ready; with `--fix` what is missing is installed. */
export async function examine({ arch, ...flags }: DoctorFlags, context: CommandContext): Promise<CommandStatus> {
  const deps = makeDoctorDeps({
    cacheDir: findCacheDir(context.env),
    outputDir: resolve(context.cwd, 'out'),
    signal: context.signal,
    write: context.output.print,
    log: context.output.log,
    ...(arch === undefined ? {} : { arch }),
  });
  const { ready } = await runDoctor({ fix: false, yes: false, json: false, ...flags }, deps);
  return ready ? 0 : 1;
}
