import { formatSeconds } from '../recipe/quantities.ts';

export interface PhaseState {
  readonly activity: string | undefined;
  readonly fraction: number | undefined;
  readonly elapsedSeconds: number;
  readonly estimateSeconds: number | undefined;
}

/** `installing packages, 62 %, 9 min 40 s of about 15 min 44 s`: what is known of it. */
export function describeProgress({ activity, fraction, elapsedSeconds, estimateSeconds }: PhaseState): string {
  const estimate = estimateSeconds === undefined ? '' : ` of about ${formatSeconds(estimateSeconds)}`;
  const percent = fraction === undefined ? undefined : `${Math.floor(fraction * 100)} %`;
  return [activity, percent, `${formatSeconds(elapsedSeconds)}${estimate}`].filter((part) => part).join(', ');
}
