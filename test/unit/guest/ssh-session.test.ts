import { mkdtemp, readdir, rm } from 'node:fs/promises';
import type { AddressInfo } from 'node:net';
import { createServer } from 'node:net';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { afterEach, beforeEach, describe, expect, it } from 'vitest';
import { makeSshKeyPair } from '../../../src/guest/ssh-keys.ts';
import { connectSsh } from '../../../src/guest/ssh-session.ts';
import { Scope } from '../../../src/lifecycle/scope.ts';

const never = new AbortController().signal;

describe('connectSsh', () => {
  let workDir = '';
  let scope = new Scope();
  beforeEach(async () => {
    workDir = await mkdtemp(join(tmpdir(), 'kvmimg-ssh-test-'));
    scope = new Scope();
  });
  afterEach(async () => {
    await scope.close();
    await rm(workDir, { recursive: true, force: true });
  });

  const connect = async (port: number, wait: { limitMs: number; signal?: AbortSignal; check?: () => void }) => {
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
    expect(await readdir(join(workDir, 'ssh'))).toEqual(['known_hosts']);
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
