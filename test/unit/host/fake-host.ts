import { chmod, mkdir, mkdtemp, rm, symlink, writeFile } from 'node:fs/promises';
import { tmpdir } from 'node:os';
import { dirname, join } from 'node:path';
import type { HostSource } from '../../../src/host/facts.ts';

/** A folder that stands for `/` of another host, with programs of its own on the PATH. */
export interface FakeHost {
  readonly root: string;
  readonly bin: string;
  readonly source: HostSource;
  readonly writeFile: (path: string, content: string) => Promise<void>;
  /** A shell script: by its name in the PATH's one folder, or by its path below the root. */
  readonly writeProgram: (nameOrPath: string, script: string) => Promise<void>;
  readonly removeProgram: (name: string) => Promise<void>;
  readonly remove: () => Promise<void>;
}

export async function makeFakeHost(overrides: Partial<HostSource> = {}): Promise<FakeHost> {
  const root = await mkdtemp(join(tmpdir(), 'kvmimg-host-'));
  const bin = join(root, 'usr/bin');
  await mkdir(bin, { recursive: true });
  const write = async (path: string, content: string): Promise<void> => {
    await mkdir(dirname(join(root, path)), { recursive: true });
    await writeFile(join(root, path), content);
  };
  // What the scripts themselves need.
  for (const name of ['sh', 'cat', 'env', 'chmod']) await symlink(`/bin/${name}`, join(bin, name));
  const source = { platform: 'linux', arch: 'amd64', env: { PATH: bin }, root, userId: 1000, ...overrides } as const;
  return {
    root,
    bin,
    source,
    writeFile: write,
    writeProgram: async (nameOrPath, script) => {
      const path = nameOrPath.includes('/') ? nameOrPath : `usr/bin/${nameOrPath}`;
      await write(path, `#!/bin/sh\n${script}\n`);
      await chmod(join(root, path), 0o755);
    },
    removeProgram: (name) => rm(join(bin, name)),
    remove: () => rm(root, { recursive: true, force: true }),
  };
}

export const debian12 = `PRETTY_NAME="Debian GNU/Linux 12 (bookworm)"
VERSION_ID="12"
ID=debian
`;
