import { chmod, mkdir, mkdtemp, readFile, rm, stat, writeFile } from 'node:fs/promises';
import { createServer } from 'node:http';
import type { AddressInfo } from 'node:net';
import { connect } from 'node:net';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { afterEach, beforeEach, describe, expect, it, vi } from 'vitest';
import { Scope } from '../../../src/lifecycle/scope.ts';
import { startMachine } from '../../../src/machine/machine.ts';
import type { MachineSpec } from '../../../src/machine/machine-spec.ts';
import type { RunningMachine } from '../../../src/machine/running-machine.ts';
import { waitUntil } from '../../../src/wait/wait-until.ts';

const binary = new URL('../../../fixtures/bin/qemu-system-x86_64', import.meta.url).pathname;
const signal = new AbortController().signal;

const spec: MachineSpec = {
  arch: 'amd64',
  accel: 'tcg',
  cpuModel: 'max',
  cpus: 1,
  memoryBytes: 64 * 1024 * 1024,
  firmware: { kind: 'bios' },
  disks: [],
  network: { nic: 'virtio-net-pci', sshForward: true },
  noReboot: true,
};

let dir: string;
let scope: Scope;
let lines: string[];

beforeEach(async () => {
  dir = await mkdtemp(join(tmpdir(), 'kvmimg-test-'));
  scope = new Scope();
  lines = [];
  vi.stubEnv('FAKE_QEMU_LOG', join(dir, 'log'));
});

afterEach(async () => {
  vi.unstubAllEnvs();
  await scope.close();
  await rm(dir, { recursive: true, force: true });
});

/** Starts the fake with a scenario; with `url`, it boots a kernel that is told this address of its answer file. */
function startFake(scenario: string | object, url?: string): Promise<RunningMachine> {
  vi.stubEnv('FAKE_QEMU_SCENARIO', typeof scenario === 'string' ? scenario : JSON.stringify(scenario));
  const directBoot = { kernelPath: '/k', initrdPath: '/i', kernelArguments: [`url=${url}`, '---'] };
  return startMachine(
    { ...spec, ...(url === undefined ? {} : { directBoot }) },
    { binary, workDir: join(dir, 'work'), scope, signal, onSerialLine: (line) => lines.push(line) },
  );
}

interface LogEntry {
  readonly pid: number;
  readonly argv?: readonly string[];
  readonly qmp?: string;
  readonly fetched?: string;
}

async function readLog(): Promise<readonly LogEntry[]> {
  const text = await readFile(join(dir, 'log'), 'utf8');
  return text
    .trim()
    .split('\n')
    .map((line): LogEntry => JSON.parse(line));
}

/** Serves an answer file with an address to call back to, and lists what was asked for. */
async function serveAnswerFile() {
  const asked: string[] = [];
  const server = createServer((request, response) => {
    asked.push(request.url ?? '');
    const { port } = server.address() as AddressInfo;
    response.end(`late_command wget 'http://10.0.2.2:${port}/token/late?a=1'; true`);
  });
  await new Promise<void>((resolve) => server.listen(0, '127.0.0.1', resolve));
  scope.defer('server', () => void server.close());
  const { port } = server.address() as AddressInfo;
  return { asked, url: `http://10.0.2.2:${port}/token/preseed.cfg` };
}

const gone = async (path: string): Promise<boolean> =>
  stat(path).then(
    () => false,
    () => true,
  );

describe('startMachine', () => {
  it('lets the guest install and sees its power-off', async () => {
    const { asked, url } = await serveAnswerFile();
    const machine = await startFake('installs', url);
    expect(await machine.exited).toMatchObject({ kind: 'guest-shutdown', exitCode: 0 });
    expect(asked).toEqual(['/token/preseed.cfg', '/token/late?a=1']);
    expect(lines).toContain('The system is going down NOW!');
    expect(machine.lastSerialLines(1)).toEqual(['The system is going down NOW!']);
    expect(await readFile(machine.serialLogPath, 'utf8')).toContain('Linux version');
  });

  it('puts no secret into the arguments', async () => {
    const { url } = await serveAnswerFile();
    const machine = await startFake('installs', url);
    await machine.exited;
    const argv = (await readLog()).find((entry) => entry.pid === machine.pid)?.argv ?? [];
    expect(argv).toContain('-readconfig');
    expect(argv.join(' ')).not.toContain('token');
  });

  it('tells a prompt within a second', async () => {
    const { url } = await serveAnswerFile();
    await startFake('prompts', url);
    const prompt = "Prompt: '?' for help, default=1>";
    const check = () => (lines.includes(prompt) ? true : undefined);
    await waitUntil({ subject: 'the prompt', limitMs: 1_500, signal, check });
    expect(lines.at(-2)).toBe('Partition disks');
  });

  it('has a port that leads to the guest', async () => {
    const machine = await startFake('silent');
    const socket = connect(machine.sshPort ?? 0, '127.0.0.1');
    await new Promise((resolve, reject) => socket.once('connect', resolve).once('error', reject));
    socket.destroy();
  });

  it.each([
    ['reboots', 'guest-reset'],
    ['panics-by-device', 'guest-panic'],
    ['disk-full', 'no-space'],
    ['killed', 'killed'],
    ['crashes', 'crashed'],
    [{ install: [{ exit: { code: 1, words: 'out of luck' } }] }, 'crashed'],
    [{ install: [{ event: { event: 'STOP', data: {} } }], status: 'internal-error' }, 'crashed'],
  ])('tells how it ended: %o', async (scenario, kind) => {
    const { url } = await serveAnswerFile();
    const machine = await startFake(scenario, url);
    expect(await machine.exited).toMatchObject({ kind });
  });

  it("keeps QEMU's last words", async () => {
    const machine = await startFake({ boot: [{ exit: { code: 1, words: 'out of luck' } }] });
    expect((await machine.exited).lastLines).toEqual(['qemu-system-x86_64: out of luck']);
  });

  it('saves the screen, and that of a panic after the end', async () => {
    const machine = await startFake({ boot: [{ waitMs: 200 }, { event: { event: 'GUEST_PANICKED', data: {} } }] });
    const [early, late] = [join(dir, 'early.png'), join(dir, 'late.png')];
    expect(await machine.screenshot(early)).toBe(early);
    await machine.exited;
    expect(await machine.screenshot(late)).toBe(late);
    expect((await readFile(late)).subarray(1, 4).toString()).toBe('PNG');
  });

  it('has no screenshot where QEMU cannot make one', async () => {
    const machine = await startFake({ like: 'silent', refusals: { screendump: "Parameter 'format' is unexpected" } });
    expect(await machine.screenshot(join(dir, 'screen.png'))).toBeUndefined();
    expect(await gone(join(dir, 'screen.png'))).toBe(true);
  });

  it.each([
    ['system_powerdown', {}, 'guest-shutdown'],
    ['quit', { ignores: ['system_powerdown'] }, 'quit'],
  ])('ends by %s', async (command, changes, kind) => {
    const machine = await startFake({ like: 'silent', ...changes });
    expect(await machine.powerDown({ graceMs: 200 })).toMatchObject({ kind });
    expect((await readLog()).at(-2)).toMatchObject({ qmp: command });
  });

  it('ends by SIGKILL what ignores everything else', async () => {
    const machine = await startFake('stubborn');
    expect(await machine.powerDown({ graceMs: 100 })).toMatchObject({ kind: 'killed', signal: 'SIGKILL' });
  });

  it('ends with its scope, and leaves no socket', async () => {
    const machine = await startFake('silent');
    await scope.close();
    expect(machine.hasExited()).toBe(true);
    expect(await gone(join(dir, 'work/qmp'))).toBe(true);
  });

  it('keeps its folder to itself', async () => {
    await mkdir(join(dir, 'work'));
    await chmod(join(dir, 'work'), 0o755);
    await startFake('silent');
    expect((await stat(join(dir, 'work'))).mode & 0o777).toBe(0o700);
    expect((await stat(join(dir, 'work/serial.log'))).mode & 0o777).toBe(0o600);
  });

  it('starts over what an earlier machine left in the folder', async () => {
    await mkdir(join(dir, 'work'));
    await writeFile(join(dir, 'work/serial.log'), 'old\n');
    await writeFile(join(dir, 'work/machine.cfg'), 'old');
    const { url } = await serveAnswerFile();
    const machine = await startFake('installs', url);
    await machine.exited;
    expect(await readFile(machine.serialLogPath, 'utf8')).not.toContain('old');
  });

  it.each([
    ["QEMU's own words", { start: "-device nonesuch: 'nonesuch' is not a valid device model name" }, 'nonesuch'],
    ['what it said last', { start: 'cannot set up guest memory: Cannot allocate memory' }, 'Cannot allocate memory'],
  ])('fails with %s when QEMU ends at once', async (_title, scenario, words) => {
    await expect(startFake(scenario)).rejects.toMatchObject({
      code: 'qemu-start',
      message: expect.stringContaining(words),
      hint: expect.stringContaining('doctor'),
      evidence: [{ lines: [expect.stringContaining(words)] }],
    });
  });

  it('fails when there is no QEMU', async () => {
    const starting = startMachine(spec, { binary: join(dir, 'none'), workDir: join(dir, 'work'), scope, signal });
    await expect(starting).rejects.toMatchObject({ code: 'program-missing' });
  });

  it('does not ask for a sandbox that QEMU has not', async () => {
    const machine = await startFake({ like: 'silent', sandbox: false });
    expect((await readLog()).find((entry) => entry.pid === machine.pid)?.argv).not.toContain('-sandbox');
  });
});
