import { chmod, mkdir, mkdtemp, readdir, rm, writeFile } from 'node:fs/promises';
import type { AddressInfo } from 'node:net';
import { createServer } from 'node:net';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { afterEach, beforeEach, describe, expect, it } from 'vitest';
import { makeSshKeyPair } from '../../../src/guest/ssh-keys.ts';
import { connectSsh } from '../../../src/guest/ssh-session.ts';
import { Scope } from '../../../src/lifecycle/scope.ts';

const never = new AbortController().signal;

interface ConnectWait {
  readonly limitMs: number;
  readonly signal?: AbortSignal;
  readonly check?: () => void;
}

describe('connectSsh', () => {
  let root = '';
  let workDir = '';
  let scope = new Scope();
  beforeEach(async () => {
    workDir = await mkdtemp(join(tmpdir(), 'kvmimg-ssh-test-'));
    scope = new Scope();
    root = workDir;
  });
  afterEach(async () => {
    await scope.close();
    await rm(root, { recursive: true, force: true });
  });

  const connect = async (port: number, wait: ConnectWait) => {
    const { privateKeyPath, publicKey } = await makeSshKeyPair(workDir, 'key', never);
    const address = { port, user: 'kvmimg-build', privateKeyPath, hostPublicKey: publicKey };
    return connectSsh(address, { workDir, scope, signal: never, ...wait });
  };

  /** What QEMU's forward is while no sshd answers in the guest: it accepts and says nothing. */
  const startSilentServer = async (): Promise<number> => {
    const server = createServer(() => {});
    await new Promise<void>((resolve) => server.listen(0, '127.0.0.1', resolve));
    scope.defer('silent server', () => void server.close());
    return (server.address() as AddressInfo).port;
  };

  it('ends by its limit when SSH never comes up, with what the client said last', async () => {
    const error = await connect(9, { limitMs: 1_500 }).catch((caught) => caught);
    expect(error).toMatchObject({ code: 'wait-limit', message: 'Waited 2 s for the guest to answer by SSH, in vain.' });
    expect(error.evidence[0].lines[0]).toContain('Connection refused');
    expect(error.hint).toContain('serial log');
  });

  it('ends by its limit in the midst of an attempt', async () => {
    const startMs = performance.now();
    const error = await connect(await startSilentServer(), { limitMs: 2_000 }).catch((caught) => caught);
    expect(performance.now() - startMs).toBeLessThan(4_000);
    expect(error).toMatchObject({ code: 'wait-limit', evidence: [{ lines: ['nothing'] }] });
  });

  it('ends at once when the machine has gone, and when it is aborted', async () => {
    const gone = connect(9, {
      limitMs: 60_000,
      check: () => {
        throw new Error('the machine has gone');
      },
    });
    await expect(gone).rejects.toThrow('the machine has gone');
    await rm(join(workDir, 'key'));
    const controller = new AbortController();
    setTimeout(() => controller.abort(new Error('Ctrl-C')), 500);
    const startMs = performance.now();
    await expect(connect(await startSilentServer(), { limitMs: 60_000, signal: controller.signal })).rejects.toThrow(
      'Ctrl-C',
    );
    expect(performance.now() - startMs).toBeLessThan(3_000);
  });

  it('leaves no socket behind', async () => {
    await connect(9, { limitMs: 10 }).catch(() => {});
    expect(await readdir(join(workDir, 'ssh'))).toEqual(['identity', 'known_hosts']);
  });

  it.each(['a b', 'a%qb', `it's "b"`, 'a\\b#c', '${HOME}', '~', `${'long/'.repeat(30)}end`, 'a\tb\nc'])(
    'works in the folder %j',
    async (name) => {
      workDir = join(workDir, name);
      await mkdir(workDir, { recursive: true });
      const error = await connect(9, { limitMs: 1_000 }).catch((caught) => caught);
      expect(error.evidence[0].lines[0]).toContain('Connection refused');
    },
  );

  describe('with a client of which there is something to tell', () => {
    beforeEach(() => {
      const path = process.env.PATH;
      scope.defer('the PATH', () => {
        process.env.PATH = path;
      });
      process.env.PATH = join(workDir, 'bin');
    });

    const writeClient = async (...lines: string[]): Promise<void> => {
      await mkdir(join(workDir, 'bin'), { recursive: true });
      await writeFile(join(workDir, 'bin/ssh'), ['#!/bin/sh', ...lines, ''].join('\n'));
      await chmod(join(workDir, 'bin/ssh'), 0o755);
    };
    const attempt = (): Promise<unknown> => {
      const address = { port: 9, user: 'a', privateKeyPath: join(workDir, 'key'), hostPublicKey: 'ssh-ed25519 AAAA' };
      return connectSsh(address, { workDir, scope, signal: never, limitMs: 60_000 }).catch((caught) => caught);
    };

    it('ends at once where it is missing, or does not take its options', async () => {
      expect(await attempt()).toMatchObject({ code: 'program-missing', message: expect.stringMatching(/ ssh /) });
      await writeClient("echo 'Bad configuration option: hostkeyalias' >&2", 'exit 255');
      expect(await attempt()).toMatchObject({
        code: 'program-failed',
        message: 'ssh failed with exit code 255.',
        evidence: [{}, { lines: ['Bad configuration option: hostkeyalias'] }],
      });
    });

    it.each([
      ['no-space', 'No space left on device'],
      ['no-space', 'Disk quota exceeded'],
      ['ssh-socket', 'Operation not permitted'],
    ])('ends at once, by %s, where it cannot make its socket: %s', async (code, reason) => {
      await writeClient(
        'case $1 in -G) exit 0 ;; esac',
        `echo 'unix_listener: cannot bind to path control.vH2xJbTqYzD1KpQw: ${reason}' >&2`,
        'exit 255',
      );
      expect(await attempt()).toMatchObject({
        code,
        message: `The SSH client cannot make its socket in ${join(workDir, 'ssh')}: ${reason}.`,
        hint: expect.stringContaining('KVMIMG_CACHE_DIR'),
      });
    });
  });
});

describe('makeSshKeyPair', () => {
  it('gives a private key and a public key without a comment, which could name this host', async () => {
    const folder = await mkdtemp(join(tmpdir(), 'kvmimg-keys-'));
    try {
      const pair = await makeSshKeyPair(folder, 'host', never);
      expect(pair.publicKey).toMatch(/^ssh-ed25519 [A-Za-z0-9+/=]+$/);
      expect(pair.privateKey).toMatch(/^-----BEGIN OPENSSH PRIVATE KEY-----\n/);
    } finally {
      await rm(folder, { recursive: true });
    }
  });
});
