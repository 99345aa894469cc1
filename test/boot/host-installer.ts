import { mkdtemp, rm } from 'node:fs/promises';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { afterEach, beforeAll, beforeEach } from 'vitest';
import { Scope } from '../../src/lifecycle/scope.ts';
import { type AnswerServer, startAnswerServer } from './answer-server.ts';
import { fetchDebianParts } from './debian-parts.ts';
import { type HostRun, runOnHost, type Surroundings } from './run-on-host.ts';

const mebibyte = 1024 * 1024;
const fetchLimitMs = 5 * 60_000;

/** What a case changes: the arguments, the answer file, or what lies around. */
export interface Change extends Partial<Omit<Surroundings, 'family'>> {
  readonly arguments?: (given: string) => string;
  readonly answer?: (given: string) => string;
}

/** The answer file with a text in place of another. */
export function replaced(from: string | RegExp, to: string): Change {
  return { answer: (given) => given.replace(from, to) };
}

/** The kernel arguments with a text in place of another. */
export function withArgument(from: string | RegExp, to: string): Change {
  return { arguments: (given) => given.replace(from, to) };
}

/** The installer on the host, with a folder and an answer server of its own for each test. */
export class HostInstaller {
  scope = new Scope();
  server: AnswerServer = { port: 0, requests: [], files: new Map() };
  #dir = '';

  /** Registers the hooks of the test file that calls it. */
  static forEachTest(): HostInstaller {
    const host = new HostInstaller();
    beforeAll(() => fetchDebianParts(), fetchLimitMs);
    beforeEach(() => host.#open());
    afterEach(() => host.#close());
    return host;
  }

  async #open(): Promise<void> {
    this.#dir = await mkdtemp(join(tmpdir(), 'kvmimg-test-'));
    this.scope = new Scope();
    this.server = await startAnswerServer(this.scope);
  }

  async #close(): Promise<void> {
    await this.scope.close();
    await rm(this.#dir, { recursive: true, force: true });
  }

  get dir(): string {
    return this.#dir;
  }

  get url(): string {
    return `http://127.0.0.1:${this.server.port}/`;
  }

  run(surroundings: Surroundings): Promise<HostRun> {
    return runOnHost(this.#dir, surroundings);
  }

  /** The bodies of what was posted there. */
  posted(path: string): string[] {
    return this.server.requests.filter((request) => request.path === path).map(({ body }) => body);
  }
}

/** The line that the installer leaves on the disk that it has written. */
export function diskText({ disk }: HostRun): string {
  return (
    Buffer.from(disk.subarray(mebibyte, mebibyte + 64))
      .toString()
      .split('\n')[0] ?? ''
  );
}
