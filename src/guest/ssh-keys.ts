import { readFile } from 'node:fs/promises';
import { join } from 'node:path';
import { run } from '../process/run.ts';

export interface SshKeyPair {
  readonly privateKeyPath: string;
  /** OpenSSH private key, with its final newline. */
  readonly privateKey: string;
  /** `ssh-ed25519 AAAA...`, without comment or newline. */
  readonly publicKey: string;
}

/**
 * Makes an ed25519 key pair in a folder that only this user can read; it lives as long as the folder.
 *
 * @throws KvmimgError `program-missing` when OpenSSH is not installed.
 */
export async function makeSshKeyPair(folder: string, name: string, signal: AbortSignal): Promise<SshKeyPair> {
  const privateKeyPath = join(folder, name);
  await run('ssh-keygen', ['-q', '-t', 'ed25519', '-N', '', '-C', '', '-f', privateKeyPath], { signal });
  const publicLine = await readFile(`${privateKeyPath}.pub`, 'utf8');
  return {
    privateKeyPath,
    privateKey: await readFile(privateKeyPath, 'utf8'),
    publicKey: publicLine.trim().split(' ').slice(0, 2).join(' '),
  };
}
