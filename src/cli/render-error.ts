import { type ExitStatus, InputError, InterruptedError, type KvmimgError, messageOf, type Problem } from '../errors.ts';
import { bugHint, causesOf, findExpected, stacksOf } from '../progress/failure.ts';

/** What a person reads about a failure, and the exit status that goes with it. */
export interface RenderedError {
  readonly text: string;
  readonly exitStatus: ExitStatus;
}

/** The one place where errors become text. Anything but an expected error is a bug of kvmimg. */
export function renderError(error: unknown): RenderedError {
  if (error instanceof InputError) return { text: error.problems.map(renderProblem).join('\n'), exitStatus: 2 };
  if (error instanceof InterruptedError) return { text: error.message, exitStatus: 130 };
  const expected = findExpected(error);
  if (expected) return { text: renderExpected(expected), exitStatus: expected.exitStatus };
  return { text: renderBug(error), exitStatus: 1 };
}

/** `error: node.yaml:3:3 disk.sise: is not a setting. Did you mean size?` */
function renderProblem({ place, message, hint }: Problem): string {
  return printable(`error: ${place}: ${message}${hint ? `. ${hint}` : ''}`).replaceAll('\n', ' ');
}

function renderExpected(error: KvmimgError): string {
  const blocks = [
    `error: ${error.message}`,
    ...causesOf(error).map((cause) => `  cause: ${cause}`),
    ...error.evidence
      .filter(({ lines }) => lines.length > 0)
      .map(({ title, lines }) => [`\n${title}:`, ...lines.map((line) => `  ${line}`)].join('\n')),
    ...(error.hint ? [`\n${error.hint}`] : []),
  ];
  return printable(blocks.join('\n'));
}

function renderBug(error: unknown): string {
  return printable(
    [`error: This is a bug of kvmimg: ${messageOf(error)}`, '', ...stacksOf(error), '', bugHint].join('\n'),
  );
}

/** A guest's console can hold anything: no escape sequence of it may reach the terminal. */
function printable(text: string): string {
  // biome-ignore lint/suspicious/noControlCharactersInRegex: control characters are what is looked for.
  return text.replace(/\u001b\[[0-9;?]*[A-Za-z]/g, '').replace(/[\u0000-\u0008\u000b-\u001f\u007f-\u009f]/g, '');
}
