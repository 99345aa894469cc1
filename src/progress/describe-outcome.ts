import { formatSeconds } from '../recipe/quantities.ts';
import type { BuildOutcome } from './events.ts';

export interface EndOfBuild {
  readonly outcome: BuildOutcome;
  readonly seconds: number;
  readonly message?: string;
}

/** `built in 12 min 5 s`, `failed after 48 s: the installer stopped`. */
export function describeOutcome({ outcome, seconds, message }: EndOfBuild): string {
  const links = { built: 'in', cached: 'in', failed: 'after', cancelled: 'after' } as const;
  const words = outcome === 'cached' ? 'all found in the cache' : outcome;
  const why = message === undefined ? '' : `: ${firstLine(message)}`;
  return `${words} ${links[outcome]} ${formatSeconds(seconds)}${why}`;
}

/** For places with room for one line; what a guest has put into a message must not move the cursor. */
export function firstLine(text: string): string {
  const line = text.split('\n').find((one) => one.trim() !== '') ?? '';
  const withoutColours = line.replace(/\p{Cc}\[[0-9;?]*[A-Za-z]/gu, '');
  return withoutColours.replace(/\p{Cc}+/gu, ' ').trim();
}
