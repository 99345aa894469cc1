import { mkdir, rm, symlink, writeFile } from 'node:fs/promises';
import { join, resolve } from 'node:path';
import { type Evidence, KvmimgError } from '../errors.ts';
import type { Scope } from '../lifecycle/scope.ts';
import { quoteShellWord } from '../process/quote-command.ts';
import { type RunResult, run, runOnOwnStreams } from '../process/run.ts';
import { start } from '../process/start.ts';
import { waitUntil } from '../wait/wait-until.ts';

export interface SshAddress {
  /** Port on 127.0.0.1 that QEMU forwards to the guest's port 22. */
  readonly port: number;
  readonly user: string;
  readonly privateKeyPath: string;
  /** The guest's host key, `ssh-ed25519 AAAA...`; no other is accepted. */
  readonly hostPublicKey: string;
}

export interface SshWait {
  /** For this connection: its control socket, known_hosts and a link to the key, in `ssh/`. Its path may hold any character. */
  readonly workDir: string;
  readonly scope: Scope;
  readonly signal: AbortSignal;
  readonly limitMs: number;
  /** Ends the wait when the machine cannot answer any more: a throw is the wait's error. */
  readonly check?: () => void;
  readonly witness?: () => readonly Evidence[];
}

export interface GuestRunOptions {
  readonly input?: string | Uint8Array;
  readonly signal: AbortSignal;
  readonly okExitCodes?: readonly number[];
  readonly timeoutMs?: number;
  readonly onLine?: (line: string) => void;
}

/** One multiplexed connection of the OpenSSH client to a guest. */
export interface SshSession {
  /** Runs words in the guest as the login user; each is quoted for its shell. */
  readonly run: (words: readonly string[], options: GuestRunOptions) => Promise<RunResult>;
  /** The same as root, by `sudo -n`. */
  readonly runAsRoot: (words: readonly string[], options: GuestRunOptions) => Promise<RunResult>;
  /** Writes a file as root; its folder is made. */
  readonly writeFile: (file: GuestFile, signal: AbortSignal) => Promise<void>;
  /**
   * Runs words, or the login shell if there are none, on kvmimg's own standard streams and gives the exit code; 255 also
   * when the connection ends. The login shell gets a terminal where kvmimg has one.
   */
  readonly attach: (words: readonly string[], signal: AbortSignal) => Promise<number>;
  readonly close: () => Promise<void>;
}

export interface GuestFile {
  readonly path: string;
  readonly content: string | Uint8Array;
  /** Octal, such as `0644`. */
  readonly mode: string;
  readonly owner: string;
}

const hostAlias = 'kvmimg-guest';
const attemptSeconds = 10;
const sshFailed = 255;

/**
 * Waits until the guest answers by SSH with the host key that kvmimg gave it, and keeps that connection as the master
 * of all that follows.
 *
 * @throws KvmimgError `wait-limit` with the client's last words; `program-missing`; `program-failed` when the client does
 *   not take its options; `no-space` or `ssh-socket` when it cannot make its socket; what `wait.check` throws.
 */
export async function connectSsh(address: SshAddress, wait: SshWait): Promise<SshSession> {
  const client: Client = { folder: await makeClientFolder(address, wait.workDir), options: clientOptions(address) };
  // It reads its options and connects nowhere. Later, what it does not understand would look like a guest that is not up.
  await run('ssh', ['-G', ...client.options], { cwd: client.folder, signal: wait.signal });
  const deadlineMs = performance.now() + wait.limitMs;
  let lastWords = 'nothing';
  const master = await waitUntil({
    subject: 'the guest to answer by SSH',
    limitMs: wait.limitMs,
    intervalMs: 1_000,
    signal: wait.signal,
    hint: 'Look at the serial log and the screenshot: did the system boot, did its network come up, did sshd start?',
    witness: () => [{ title: 'The SSH client said last', lines: [lastWords] }, ...(wait.witness?.() ?? [])],
    check: async () => {
      wait.check?.();
      const attempt = await startMaster(client, deadlineMs - performance.now(), wait.signal);
      if (typeof attempt !== 'string') return attempt;
      if (attempt !== '') lastWords = attempt;
      return undefined;
    },
  });
  const close = async (): Promise<void> => {
    if (!master.hasExited()) master.kill('SIGTERM');
    await master.exited;
  };
  wait.scope.defer('close the SSH connection', close);
  return makeSession(client, close);
}

/** How the client is called, each time the same. */
interface Client {
  /** Its working folder, in which its options name their files. */
  readonly folder: string;
  readonly options: readonly string[];
}

/**
 * The client splits the paths in its options at blanks and expands `%` and `${...}` in them, the latter without a way to
 * escape it. Plain names in its working folder need no escaping, and are short enough for a socket wherever that is.
 */
async function makeClientFolder(address: SshAddress, workDir: string): Promise<string> {
  const folder = join(workDir, 'ssh');
  await mkdir(folder, { recursive: true, mode: 0o700 });
  await writeFile(join(folder, 'known_hosts'), `${hostAlias} ${address.hostPublicKey}\n`, { mode: 0o600 });
  const identity = join(folder, 'identity');
  await rm(identity, { force: true });
  await symlink(resolve(address.privateKeyPath), identity);
  return folder;
}

function clientOptions(address: SshAddress): string[] {
  const settings = {
    BatchMode: 'yes',
    ConnectTimeout: attemptSeconds,
    ControlPath: 'control',
    GlobalKnownHostsFile: '/dev/null',
    HostKeyAlias: hostAlias,
    IdentitiesOnly: 'yes',
    IdentityFile: 'identity',
    LogLevel: 'ERROR',
    Port: address.port,
    PreferredAuthentications: 'publickey',
    ServerAliveCountMax: 20,
    ServerAliveInterval: 15,
    StrictHostKeyChecking: 'yes',
    UpdateHostKeys: 'no',
    User: address.user,
    UserKnownHostsFile: 'known_hosts',
  };
  return ['-F', 'none', ...Object.entries(settings).flatMap(([key, value]) => ['-o', `${key}=${value}`]), '127.0.0.1'];
}

/** One attempt: the running master, or what the client said when it gave up or its time was over, if anything. */
async function startMaster(client: Client, limitMs: number, signal: AbortSignal) {
  let said = '';
  const master = await start('ssh', ['-M', '-N', '-T', ...client.options], {
    cwd: client.folder,
    onLine: (line) => {
      if (line.trim() !== '') said = line;
    },
  });
  try {
    const outcome = await waitUntil({
      subject: 'the SSH client to connect',
      limitMs: Math.min(limitMs, (attemptSeconds + 5) * 1_000),
      intervalMs: 100,
      signal,
      check: async () => {
        if (await isMasterUp(client, signal)) return 'up';
        return master.hasExited() ? 'ended' : undefined;
      },
    });
    if (outcome === 'up') return master;
  } catch (error) {
    if (!master.hasExited()) master.kill('SIGKILL');
    signal.throwIfAborted();
    if (!(error instanceof KvmimgError && error.code === 'wait-limit')) throw error;
  }
  await master.exited;
  if (said.startsWith('unix_listener: ')) throw socketFailed(client, said);
  return said;
}

/** The guest has let the client in, and will each time. */
function socketFailed({ folder }: Client, said: string): KvmimgError {
  return new KvmimgError({
    code: /No space left|quota exceeded/.test(said) ? 'no-space' : 'ssh-socket',
    message: `The SSH client cannot make its socket in ${folder}: ${said.replace(/^.*: /, '')}.`,
    hint: 'Free space and inodes on that disk, or set KVMIMG_CACHE_DIR to a folder on another disk, with a file system that holds sockets.',
  });
}

async function isMasterUp({ folder, options }: Client, signal: AbortSignal): Promise<boolean> {
  const check = { cwd: folder, okExitCodes: [0, sshFailed], signal };
  const result = await run('ssh', ['-O', 'check', ...options], check);
  return result.exitCode === 0;
}

function makeSession(client: Client, close: () => Promise<void>): SshSession {
  const { folder, options } = client;
  const runWords = async (words: readonly string[], runOptions: GuestRunOptions): Promise<RunResult> => {
    // The client joins its arguments with spaces for the guest's shell, so each word is quoted here.
    const result = await run('ssh', ['-T', ...options, '--', words.map(quoteShellWord).join(' ')], {
      ...runOptions,
      cwd: folder,
      okExitCodes: [...(runOptions.okExitCodes ?? [0]), sshFailed],
    });
    if (result.exitCode !== sshFailed || runOptions.okExitCodes?.includes(sshFailed)) return result;
    // 255 is the client's word for a broken connection, and what some commands end with.
    throw (await isMasterUp(client, runOptions.signal)) ? commandFailed(result) : connectionLost(result);
  };
  const runAsRoot = (words: readonly string[], runOptions: GuestRunOptions): Promise<RunResult> =>
    runWords(['sudo', '-n', '--', ...words], runOptions);
  const write = async (file: GuestFile, signal: AbortSignal): Promise<void> => {
    const script = 'install -D -m "$1" -o "${2%%:*}" -g "$3" /dev/stdin "$4"';
    const group = file.owner.split(':')[1] ?? file.owner;
    await runAsRoot(['sh', '-c', script, 'sh', file.mode, file.owner, group, file.path], {
      input: file.content,
      signal,
    });
  };
  const attach = (words: readonly string[], signal: AbortSignal): Promise<number> => {
    // Without words the client asks for a terminal if its standard input is one, and makes it raw: Ctrl-C is the guest's.
    const command = words.length > 0 ? ['--', words.map(quoteShellWord).join(' ')] : [];
    return runOnOwnStreams('ssh', [...options, ...command], { cwd: folder, signal });
  };
  return { run: runWords, runAsRoot, writeFile: write, attach, close };
}

function commandFailed(result: RunResult): KvmimgError {
  return new KvmimgError({
    code: 'program-failed',
    message: `The command in the guest failed with exit code ${sshFailed}.`,
    evidence: [{ title: 'Its last lines', lines: `${result.stdout}\n${result.stderr}`.trim().split('\n').slice(-10) }],
  });
}

function connectionLost(result: RunResult): KvmimgError {
  return new KvmimgError({
    code: 'ssh-lost',
    message: 'The SSH connection to the guest broke.',
    hint: 'Did a step restart the network, stop sshd or power the machine off? The serial log shows what happened.',
    evidence: [{ title: 'The SSH client said last', lines: result.stderr.trim().split('\n').slice(-5) }],
  });
}
