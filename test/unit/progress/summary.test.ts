import { describe, expect, it } from 'vitest';
import { summarize } from '../../../src/progress/summary.ts';

describe('summarize', () => {
  it('makes a table of how builds ended', () => {
    const message = 'The script "harden" ended with 3.\nIts output follows.';
    expect(
      summarize([
        { name: 'web-debian-13', outcome: 'built', seconds: 725, reused: ['install', 'step 1'] },
        { name: 'db', outcome: 'failed', seconds: 48, reused: ['install'], failedIn: 'provision', message },
        { name: 'media', outcome: 'failed', seconds: 1, message: '\u001b[2JNo space.' },
        { name: 'ci', outcome: 'cached', seconds: 0.6 },
        { name: 'late', outcome: 'cancelled', seconds: 0 },
      ]),
    ).toEqual([
      'web-debian-13  built      12 min 5 s  from the cache: install, step 1',
      'db             failed     48 s        in provision: The script "harden" ended with 3.; from the cache: install',
      'media          failed     1 s         No space.',
      'ci             cached     1 s',
      'late           cancelled  0 s',
      '5 images: 1 built, 1 cached, 2 failed, 1 cancelled',
    ]);
  });

  it('counts a single one', () => {
    expect(summarize([{ name: 'a', outcome: 'built', seconds: 1 }])).toEqual(['a  built  1 s', '1 image: 1 built']);
  });
});
