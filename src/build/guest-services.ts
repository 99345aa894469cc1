import type { Scope } from '../lifecycle/scope.ts';
import type { WatchedMachine } from '../machine/machine-watch.ts';
import { openMirrorCache } from '../media/mirror-cache.ts';
import type { MirrorStats } from '../media/mirror-stats.ts';
import type { Plan } from '../plan/plan.ts';
import { type SeedServer, startSeedServer } from '../seed-server/seed-server.ts';
import { startSyslogReceiver } from '../seed-server/syslog-receiver.ts';
import { findCallbackFailure } from './debian-installer.ts';
import type { InstallerMessage } from './installer-voice.ts';
import type { MediaAccess } from './media-access.ts';

/** What a build's guests reach on the host, all of it on 127.0.0.1 below one random token, for as long as the build. */
export interface GuestServices {
  /** For the guest: `http://10.0.2.2:PORT/TOKEN`, without a final slash. */
  readonly guestRoot: string;
  readonly syslogPort: number;
  /** Serves these under `seed/`. */
  readonly serveFiles: (files: Iterable<readonly [name: string, content: string]>) => void;
  /** What the mirror seems to hold in addition, by path: content, or the path of a file. */
  readonly addToMirror: (entries: Iterable<readonly [path: string, content: Uint8Array | string]>) => void;
  /** From now on requests and log lines are signs of life of this machine, and failures are its failures. */
  readonly attach: (watched: WatchedMachine, onMessage?: (message: InstallerMessage) => void) => void;
  readonly mirrorStats: () => MirrorStats;
  /** `TIME METHOD PATH STATUS`, oldest first. */
  readonly requestLines: () => readonly string[];
}

interface Audience {
  readonly watched: WatchedMachine;
  readonly onMessage: ((message: InstallerMessage) => void) | undefined;
}

export async function startGuestServices(
  plan: Plan,
  access: MediaAccess,
  options: { readonly scope: Scope; readonly signal: AbortSignal; readonly warn: (message: string) => void },
): Promise<GuestServices> {
  const { scope, signal } = options;
  const files = new Map<string, string>();
  const local = new Map<string, Uint8Array | string>();
  let audience: Audience | undefined;
  const mirror = openMirrorCache({
    ...access,
    cacheDir: plan.cacheDir,
    upstreams: { debian: plan.mirrors.build, 'debian-security': plan.mirrors.buildSecurity },
    local,
    signal,
    onUpstreamFailure: ({ error }) => audience?.watched.fail(error),
  });
  const syslog = await startSyslogReceiver({
    scope,
    onMessage: ({ tag = '', text }) => {
      audience?.watched.sign();
      audience?.onMessage?.({ tag, text });
    },
  });
  const seed = await startSeedServer({
    scope,
    routes: [
      { prefix: 'seed', handle: ({ path }) => serveText(files.get(path.slice('seed/'.length))) },
      ...['debian', 'debian-security'].map((prefix) => ({ prefix, handle: mirror.handle })),
    ],
    onRequest: () => audience?.watched.sign(),
    onCallback: (name) => {
      const failure = findCallbackFailure(name);
      if (failure) audience?.watched.fail(failure);
    },
    onError: (error, path) => options.warn(`The request of the guest for ${path} failed: ${String(error)}`),
  });
  return {
    guestRoot: seed.guestUrl('').replace(/\/$/, ''),
    syslogPort: syslog.port,
    serveFiles: (entries) => {
      for (const [name, content] of entries) files.set(name, content);
    },
    addToMirror: (entries) => {
      for (const [path, content] of entries) local.set(path, content);
    },
    attach: (watched, onMessage) => {
      audience = { watched, onMessage };
    },
    mirrorStats: mirror.stats,
    requestLines: () => requestLines(seed),
  };
}

function serveText(body: string | undefined) {
  return body === undefined ? { status: 404 } : { status: 200, body };
}

function requestLines(seed: SeedServer): string[] {
  return seed.requests().map(({ time, method, path, status }) => `${time.toISOString()} ${method} ${path} ${status}`);
}
