import { describe, expect, it } from 'vitest';
import { renderError } from '../../../src/cli/render-error.ts';
import { InputError, InterruptedError, KvmimgError } from '../../../src/errors.ts';
import { describeFailure } from '../../../src/progress/failure.ts';

describe('renderError', () => {
  it('writes a problem a line, with its place and its hint', () => {
    const error = new InputError([
      { place: 'a.yaml:1:2 cpus', message: 'must be a number', hint: 'Such as 2.' },
      { place: '--format', message: 'has\na line break' },
    ]);
    expect(renderError(error)).toEqual({
      text: 'error: a.yaml:1:2 cpus: must be a number. Such as 2.\nerror: --format: has a line break',
      exitStatus: 2,
    });
  });

  it('tells message, causes, evidence and hint of a failure', () => {
    const error = new KvmimgError({
      code: 'x',
      message: 'The disk is full.',
      hint: 'Free some.',
      evidence: [
        { title: 'Last lines', lines: ['one', '\u001b[31mtwo\u001b[0m\u0007\u009b'] },
        { title: 'Nothing', lines: [] },
      ],
      cause: new Error('ENOSPC', { cause: new Error('no inode') }),
    });
    expect(renderError(error)).toEqual({
      text: [
        'error: The disk is full.',
        '  cause: ENOSPC',
        '  cause: no inode',
        '',
        'Last lines:',
        '  one',
        '  two',
        '',
        'Free some.',
      ].join('\n'),
      exitStatus: 1,
    });
  });

  it('says an interrupt in one line', () => {
    expect(renderError(new InterruptedError('SIGINT'))).toEqual({ text: 'Interrupted by SIGINT.', exitStatus: 130 });
  });

  it('calls a full disk a full disk, wherever it is met', () => {
    const full = Object.assign(new Error('ENOSPC: no space left on device, write'), { code: 'ENOSPC' });
    const { text, exitStatus } = renderError(full);
    expect(text).toMatch(/^error: No space is left on the disk of the cache .*\n {2}cause: ENOSPC/);
    expect(text).toContain('KVMIMG_CACHE_DIR');
    expect(exitStatus).toBe(1);
  });

  it.each([
    [
      'an error',
      new TypeError('x is undefined'),
      /^error: This is a bug of kvmimg: x is undefined\n\nTypeError: x is undefined\n +at /,
    ],
    ['something thrown', 'oops', /^error: This is a bug of kvmimg: oops\n/],
    ['several errors', new AggregateError([new Error('first')], 'many'), /Error: first\n/],
    ['a cause', new Error('outer', { cause: new Error('inner') }), /cause: Error: inner\n/],
  ])('calls %s a bug, with its stack and where to report it', (_, thrown, pattern) => {
    const { text, exitStatus } = renderError(thrown);
    expect(text).toMatch(pattern);
    expect(text).toMatch(/Please report it .*CONTRIBUTING\.md says where\.$/);
    expect(exitStatus).toBe(1);
  });
});

describe('describeFailure', () => {
  it('gives programs every problem of the input', () => {
    const problems = [
      { place: 'a.yaml:1:2 cpus', message: 'must be a number', hint: 'Such as 2.' },
      { place: '--format', message: 'is wrong' },
    ];
    expect(describeFailure(new InputError(problems))).toEqual({
      code: 'input',
      message: 'a.yaml:1:2 cpus: must be a number\n--format: is wrong',
      problems,
    });
  });

  it('gives code, message, hint, causes and evidence of a failure', () => {
    const evidence = [{ title: 'Last lines', lines: ['one'] }];
    const error = new KvmimgError({
      ...{ code: 'disk', message: 'The disk is full.', hint: 'Free some.' },
      evidence: [...evidence, { title: 'Nothing', lines: [] }],
      cause: new Error('ENOSPC'),
    });
    expect(describeFailure(error)).toEqual({
      ...{ code: 'disk', message: 'The disk is full.', hint: 'Free some.', causes: ['ENOSPC'], evidence },
    });
    expect(describeFailure(new KvmimgError({ code: 'x', message: 'No.' }))).toEqual({ code: 'x', message: 'No.' });
  });

  it.each([
    ['a full disk', Object.assign(new Error('ENOSPC: write'), { code: 'ENOSPC' }), 'exhausted'],
    ['an interrupt', new InterruptedError('SIGINT'), 'interrupted'],
    ['anything else', new TypeError('x is undefined'), 'bug'],
  ])('calls %s by a code', (_, thrown, code) => {
    expect(describeFailure(thrown)).toMatchObject({ code });
  });

  it('gives the stack of a bug', () => {
    const { evidence } = describeFailure(new Error('outer', { cause: new Error('inner') }));
    expect(evidence).toMatchObject([
      { lines: expect.arrayContaining(['Error: outer', expect.stringMatching(/^ +at /)]) },
      { lines: expect.arrayContaining(['cause: Error: inner']) },
    ]);
  });
});
