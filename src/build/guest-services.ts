import { KvmimgError } from '../errors.ts';
import type { Scope } from '../lifecycle/scope.ts';
import type { WatchedMachine } from '../machine/machine-watch.ts';
import { checkPatience } from '../media/download.ts';
import { fetchIso } from '../media/iso-media.ts';
import { type MirrorCache, openMirrorCache } from '../media/mirror-cache.ts';
import type { MirrorStats } from '../media/mirror-stats.ts';
import { makeGuestNetwork } from '../plan/guest-network.ts';
import type { Plan } from '../plan/plan.ts';
import { archiveOf, mirrorProbes, upstreamsOf } from '../plan/upstreams.ts';
import type { Route } from '../seed-server/route.ts';
import { type SeedServer, startSeedServer } from '../seed-server/seed-server.ts';
import { startSyslogReceiver } from '../seed-server/syslog-receiver.ts';
import type { InstallerCallback, InstallerMessage } from './installers/installer-voice.ts';
import { findMissingUdeb } from './installers/missing-udeb.ts';
import { makeIsoRoute } from './iso-route.ts';
import { isoSourcesOf, type MediaAccess } from './media-access.ts';

/** What a build's guests reach on the host, all of it on 127.0.0.1 below one random token, for as long as the build. */
export interface GuestServices {
  /** For the guest: `http://10.0.2.2:PORT/TOKEN`, without a final slash. */
  readonly guestRoot: string;
  readonly syslogPort: number;
  /** Serves these under `seed/`, by name. */
  readonly serveFiles: (files: Readonly<Record<string, string>>) => void;
  /** What the mirror seems to hold in addition, by path: content, or the path of a file. */
  readonly addToMirror: (entries: Iterable<readonly [path: string, content: Uint8Array | string]>) => void;
  /** From now on requests and log lines are signs of life of this machine, and failures are its failures. */
  readonly attach: (watched: WatchedMachine, listener?: InstallerListener) => void;
  /** Asks the mirrors for their indices before a guest does. @throws KvmimgError that says what is wrong with one. */
  readonly checkMirrors: () => Promise<void>;
  readonly mirrorStats: () => MirrorStats;
  /** `TIME METHOD PATH STATUS`, oldest first. */
  readonly requestLines: () => readonly string[];
}

/** Who hears what an installer says. */
export interface InstallerListener {
  readonly onMessage: (message: InstallerMessage) => void;
  readonly onCallback: (callback: InstallerCallback) => void;
}

interface Audience {
  readonly watched: WatchedMachine;
  readonly listener: InstallerListener | undefined;
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
  let lastFailure: KvmimgError | undefined;
  const upstreams = upstreamsOf(plan);
  const mirror = openMirrorCache({
    ...access,
    cacheDir: plan.cacheDir,
    upstreams,
    local,
    signal,
    // A large file takes its time; the guest that waits for it is not silent.
    onProgress: () => audience?.watched.sign(),
    onUpstreamFailure: ({ error }) => {
      lastFailure = error;
      audience?.watched.fail(error);
    },
    onMissing: (missing) => {
      const failure = findMissingUdeb(missing);
      if (failure) audience?.watched.fail(failure);
    },
  });
  const syslog = await startSyslogReceiver({
    scope,
    onMessage: ({ tag = '', text }) => {
      audience?.watched.sign();
      audience?.listener?.onMessage({ tag, text });
    },
  });
  const seed = await startSeedServer({
    scope,
    hostAddress: makeGuestNetwork(plan.recipe).hostAddress,
    routes: [
      { prefix: 'seed', handle: ({ path }) => serveText(files.get(path.slice('seed/'.length))) },
      ...isoRoutes(plan, access, { scope, signal }),
      ...Object.keys(upstreams).map((prefix) => makeMirrorRoute(prefix, mirror, upstreams)),
    ],
    onRequest: () => audience?.watched.sign(),
    onCallback: (name, body) => audience?.listener?.onCallback({ name, body }),
    onError: (error, path) => {
      // What cannot be served at all, such as an ISO that is gone, is the guest's failure; others may be asked for again.
      if (error instanceof KvmimgError) audience?.watched.fail(error);
      else options.warn(`The request of the guest for ${path} failed: ${String(error)}`);
    },
  });
  return {
    guestRoot: seed.guestUrl('').replace(/\/$/, ''),
    syslogPort: syslog.port,
    serveFiles: (entries) => {
      for (const [name, content] of Object.entries(entries)) files.set(name, content);
    },
    addToMirror: (entries) => {
      for (const [path, content] of entries) local.set(path, content);
    },
    attach: (watched, listener) => {
      audience = { watched, listener };
    },
    checkMirrors: async () => {
      for (const path of mirrorProbes(plan)) {
        const { status } = await mirror.handle({ method: 'HEAD', path, patience: checkPatience });
        if (status !== 200) throw lastFailure ?? mirrorWithoutSuite(plan, path, status);
      }
    },
    mirrorStats: mirror.stats,
    requestLines: () => requestLines(seed),
  };
}

function mirrorWithoutSuite(plan: Plan, path: string, status: number): KvmimgError {
  const base = upstreamsOf(plan)[path.slice(0, path.indexOf('/'))];
  return new KvmimgError({
    code: 'mirror-without-suite',
    message: `The mirror ${base} does not have ${plan.distro.title}: ${path.slice(path.indexOf('/') + 1)} answers ${status}.`,
    hint: 'Name another mirror with --mirror, or with `mirror` and `securityMirror` in the recipe.',
  });
}

function serveText(body: string | undefined) {
  return body === undefined ? { status: 404 } : { status: 200, body };
}

function requestLines(seed: SeedServer): string[] {
  return seed.requests().map(({ time, method, path, status }) => `${time.toISOString()} ${method} ${path} ${status}`);
}

/** A mirror, and behind it the archive for what it does not have. */
function makeMirrorRoute(prefix: string, mirror: MirrorCache, upstreams: Readonly<Record<string, string>>): Route {
  const archive = archiveOf(prefix);
  return {
    prefix,
    handle: async (request) => {
      const answer = await mirror.handle(request);
      if (answer.status !== 404 || upstreams[archive] === undefined) return answer;
      return mirror.handle({ ...request, path: `${archive}${request.path.slice(prefix.length)}` });
    },
  };
}

function isoRoutes(
  plan: Plan,
  access: MediaAccess,
  { scope, signal }: { readonly scope: Scope; readonly signal: AbortSignal },
): Route[] {
  if (plan.media.kind !== 'iso') return [];
  const { iso } = plan.media;
  return [
    makeIsoRoute(
      async () => (await fetchIso(iso, { ...isoSourcesOf(plan, access), refresh: false }, { signal })).path,
      scope,
    ),
  ];
}
