import { readFile } from 'node:fs/promises';
import type { EndedBuild, FakeSite, RunningBuild } from '../fake/fake-site.ts';
import { descendants } from '../install/listening-sockets.ts';
import { findHurtPhase, type HurtPhase, phaseSaid } from './build-phase.ts';
import { type Moment, pause, untilMoment } from './moment.ts';
import type { Random } from './random.ts';
import type { FillableDisk } from './small-disk.ts';

/** What is done to a running build, and how often. */
const weights = {
  'kill kvmimg': 26,
  'kill QEMU': 18,
  'kill both': 18,
  SIGINT: 8,
  SIGTERM: 5,
  'kill one of two': 9,
  'kill beside a prune': 6,
  'nobody of two': 4,
} as const;
export type Hurt = keyof typeof weights | 'fill the disk' | 'fill the disk and kill kvmimg';

export function chooseHurt(random: Random, mayFill: boolean): Hurt {
  if (mayFill && random.chance(0.5)) return random.chance(0.7) ? 'fill the disk' : 'fill the disk and kill kvmimg';
  return random.weighted(weights);
}

export interface HurtBuild {
  readonly phase: HurtPhase;
  /** Whether kvmimg could clean up after itself. */
  readonly mayLeave: boolean;
  /** What was done and how it ended. */
  readonly story: readonly string[];
}

export interface HowToHurt {
  readonly hurt: Hurt;
  /** Of the cache, where it can be filled. */
  readonly disk?: FillableDisk;
  /** Bytes that are left then. */
  readonly slackBytes?: number;
}

interface HurtRequest extends HowToHurt {
  readonly moment: Moment;
  readonly start: () => RunningBuild;
}

/** No build takes so long, hurt or not. */
const limitMs = 90_000;

/** Starts a build and hurts it. @throws Error when it does not end, or ends as a bug does. */
export async function hurtBuild(site: FakeSite, request: HurtRequest): Promise<HurtBuild> {
  const { hurt, moment, start } = request;
  const startMs = Date.now() - 1;
  const build = start();
  const others = [
    ...(hurt.endsWith('of two') ? [start()] : []),
    ...(hurt === 'kill beside a prune' ? [site.run(['cache', 'prune', '--all'])] : []),
  ];
  const isHit = await untilMoment(site, build, moment);
  const said = phaseSaid(build.said());
  const killed = isHit ? await hurtNow(build, request) : false;
  const ended = await untilEnded(build);
  const sure = killed && others.length === 0;
  const phase = !isHit ? 'over' : sure ? findHurtPhase(site, build.said(), startMs) : said;
  const isUnhurt = !isHit || hurt === 'nobody of two';
  const otherEnds = await Promise.all(others.map(untilEnded));
  await request.disk?.empty();
  const story = [
    `hurt at ${phase}`,
    describeEnd('the build', ended),
    ...otherEnds.map((end) => describeEnd('the other', end)),
  ];
  const unhurt = [...otherEnds, ...(isUnhurt ? [ended] : [])];
  if (unhurt.some(({ exitCode }) => exitCode !== 0)) throw new Error(`What nobody hurt failed.\n${story.join('\n')}`);
  const bug = [ended, ...otherEnds].find((end) => end.said.includes('bug of kvmimg'));
  if (bug) throw new Error(`kvmimg ended as by a bug of its own.\n${story.join('\n')}`);
  return { phase: hurt === 'nobody of two' ? 'unhurt' : phase, mayLeave: killed, story };
}

function describeEnd(who: string, { exitCode, said }: EndedBuild): string {
  return `${who} ended with ${exitCode}, having said:\n${said.replace(/^/gm, '    ')}`;
}

export async function untilEnded(build: RunningBuild): Promise<EndedBuild> {
  const ended = await Promise.race([build.ended, pause(limitMs, undefined)]);
  if (ended) return ended;
  const { pid = 0 } = build.child;
  const running = await Promise.all((await descendants(pid)).map(readCommandLine));
  throw new Error(`A build has not ended in ${limitMs} ms. Running:\n${running.join('\n')}\nSaid:\n${build.said()}`);
}

/** Hurts a running build now; gives whether kvmimg itself was killed. */
export async function hurtNow(
  { child }: Pick<RunningBuild, 'child'>,
  { hurt, slackBytes = 0, disk }: HowToHurt,
): Promise<boolean> {
  switch (hurt) {
    case 'SIGINT':
    case 'SIGTERM':
      child.kill(hurt);
      return false;
    case 'nobody of two':
      return false;
    case 'kill QEMU':
      // Where none runs, there is nothing but kvmimg to kill.
      return (await killQemu(child.pid ?? 0)) ? false : child.kill('SIGKILL');
    case 'kill both':
      await killQemu(child.pid ?? 0);
      return child.kill('SIGKILL');
    case 'fill the disk':
      await disk?.fill(slackBytes);
      return false;
    case 'fill the disk and kill kvmimg':
      await disk?.fill(slackBytes);
      await pause(slackBytes % 300, undefined);
      return child.kill('SIGKILL');
    default:
      return child.kill('SIGKILL');
  }
}

/** Whether there was one. */
async function killQemu(rootPid: number): Promise<boolean> {
  for (const pid of await descendants(rootPid)) {
    if (pid === rootPid || !(await readCommandLine(pid)).includes('qemu-system')) continue;
    process.kill(pid, 'SIGKILL');
    return true;
  }
  return false;
}

async function readCommandLine(pid: number): Promise<string> {
  return (await readFile(`/proc/${pid}/cmdline`, 'utf8').catch(() => '')).replaceAll('\0', ' ');
}
