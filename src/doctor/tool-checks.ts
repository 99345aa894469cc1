import { access } from 'node:fs/promises';
import { join } from 'node:path';
import type { HostFacts } from '../host/facts.ts';
import { findPackages, type HostTool } from '../host/packages.ts';
import { findProgram, isVersionAtLeast, qemuArches, readVersion } from '../host/programs.ts';
import { run } from '../process/run.ts';
import type { Check, ExaminationDeps } from './check.ts';

/** Ubuntu 22.04's. Older ones are not tried, and lack what `-netdev user,ipv6=off` and TCG need for current kernels. */
const oldestQemu = '6.2';
/** The first whose `screendump` writes PNG. */
const fullQemu = '7.1';
const limitMs = 3_000;

export async function checkQemuSystem(qemuPath: string | undefined, facts: HostFacts, deps: ExaminationDeps) {
  const item = qemuItem(deps);
  const why = 'Builds boot the installer in a virtual machine.';
  const cure = makeCure(`qemu-${deps.arch}`, facts);
  if (qemuPath === undefined) return makeCheck(item, 'missing', 'not found on the PATH', why, cure);
  const version = await readVersion(qemuPath, ['--version']);
  if (version === undefined) return makeCheck(item, 'missing', `${qemuPath} does not tell its version`, why, cure);
  if (!isVersionAtLeast(version, oldestQemu)) {
    return makeCheck(item, 'missing', `${version} at ${qemuPath}; needed is ${oldestQemu} or newer`, why);
  }
  if (isVersionAtLeast(version, fullQemu)) return makeCheck(item, 'ok', `${version} at ${qemuPath}`, why);
  const found = `${version} at ${qemuPath}; before ${fullQemu} there are no screenshots of a failed machine`;
  return makeCheck(item, 'warning', found, why);
}

/** QEMU can be built without libslirp, and then has no `-netdev user`. */
export async function checkUserNetwork(qemuPath: string | undefined): Promise<Check | undefined> {
  if (qemuPath === undefined) return undefined;
  const output = await run(qemuPath, ['-machine', 'none', '-netdev', 'help'], { timeoutMs: limitMs }).catch(
    () => undefined,
  );
  const backends = (output?.stdout ?? '').split('\n').map((line) => line.trim());
  const isAbsent = backends.includes('socket') && !backends.includes('user');
  const why = 'The guest reaches the installer files on this host, and only there, by it.';
  const found = isAbsent ? 'this QEMU was built without libslirp; install the one of your distribution' : 'built in';
  return makeCheck('QEMU user network', isAbsent ? 'missing' : 'ok', found, why);
}

/** What a PC needs to start at all; Debian, for one, keeps them in packages that another system may lack. */
const roms = ['bios-256k.bin', 'vgabios-stdvga.bin', 'linuxboot_dma.bin'];

export async function checkRoms(qemuPath: string | undefined, facts: HostFacts, deps: ExaminationDeps) {
  if (qemuPath === undefined || deps.arch !== 'amd64') return undefined;
  const output = await run(qemuPath, ['-L', 'help'], { timeoutMs: limitMs }).catch(() => undefined);
  const folders = (output?.stdout ?? '').split('\n').filter((line) => line.startsWith('/'));
  // A QEMU that does not tell where it looks is not held guilty.
  if (folders.length === 0) return undefined;
  const present = await Promise.all(roms.map((rom) => findInFolders(rom, folders)));
  const absent = roms.filter((_, index) => !present[index]);
  const why = 'A machine does not start without them.';
  if (absent.length === 0) return makeCheck('QEMU boot ROMs', 'ok', 'BIOS, display and kernel loader', why);
  return makeCheck('QEMU boot ROMs', 'missing', `no ${absent.join(', no ')}`, why, makeCure('roms', facts));
}

async function findInFolders(file: string, folders: readonly string[]): Promise<boolean> {
  const tries = folders.map((folder) => access(join(folder, file)));
  return Promise.any(tries).then(
    () => true,
    () => false,
  );
}

export function checkQemuImg(facts: HostFacts, deps: ExaminationDeps): Promise<Check> {
  const why = 'It makes the disk, and converts it to every format.';
  return checkProgram(
    { item: 'qemu-img', name: 'qemu-img', versionArgs: ['--version'], tool: 'qemu-img', why },
    facts,
    deps,
  );
}

export async function checkSsh(facts: HostFacts, deps: ExaminationDeps): Promise<readonly Check[]> {
  const client = 'The installed system is provisioned, and checked, over SSH.';
  const keygen = 'It makes the key pair that each build has for itself.';
  return Promise.all([
    checkProgram({ item: 'OpenSSH client', name: 'ssh', versionArgs: ['-V'], tool: 'ssh', why: client }, facts, deps),
    checkProgram({ item: 'ssh-keygen', name: 'ssh-keygen', tool: 'ssh', why: keygen }, facts, deps),
  ]);
}

export async function checkSetpriv(facts: HostFacts, deps: ExaminationDeps): Promise<Check | undefined> {
  if (facts.os.platform !== 'linux') return undefined;
  const why = 'With it QEMU ends at once when kvmimg is killed; else the next run ends it.';
  const check = await checkProgram({ item: 'setpriv', name: 'setpriv', tool: 'setpriv', why }, facts, deps);
  return check.status === 'missing' ? { ...check, status: 'warning' } : check;
}

export async function checkFirmware(facts: HostFacts, deps: ExaminationDeps): Promise<Check> {
  const found = await deps.findUefiFirmware();
  const why = 'UEFI machines start with it, and images are proven to boot there too.';
  if (found !== undefined) return makeCheck('UEFI firmware', 'ok', found, why);
  return makeCheck(
    'UEFI firmware',
    'missing',
    'no firmware descriptor fits',
    why,
    makeCure(`firmware-${deps.arch}`, facts),
  );
}

interface ProgramCheck {
  readonly item: string;
  readonly name: string;
  /** Arguments that make it tell its version; a program without any is only looked for. */
  readonly versionArgs?: readonly string[];
  readonly tool: HostTool;
  readonly why: string;
}

async function checkProgram(program: ProgramCheck, facts: HostFacts, deps: ExaminationDeps): Promise<Check> {
  const path = await findProgram(program.name, deps.host.env);
  const { item, why } = program;
  if (path === undefined)
    return makeCheck(item, 'missing', 'not found on the PATH', why, makeCure(program.tool, facts));
  const version = program.versionArgs && (await readVersion(path, program.versionArgs));
  return makeCheck(item, 'ok', version === undefined ? path : `${version} at ${path}`, why);
}

export function qemuItem(deps: ExaminationDeps): string {
  return `QEMU for ${qemuArches[deps.arch]}`;
}

type Cure = Pick<Check, 'packages'>;

function makeCure(tool: HostTool, facts: HostFacts): Cure {
  return { packages: findPackages(tool, facts) };
}

export function makeCheck(item: string, status: Check['status'], found: string, why: string, cure: Cure = {}): Check {
  return { item, status, found, why, ...cure };
}
