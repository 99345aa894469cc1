import type { Plan } from '../plan/plan.ts';
import type { RunFacts } from './run-facts.ts';

/** Texts by the name under which they are served. */
export type AnswerFiles = Readonly<Record<string, string>>;

/** Writes one family's answer files. Pure, but for the templates. */
export interface AnswerFileWriter {
  /** What is served, by name: the answer file first, then what belongs to it. */
  readonly fileNames: readonly string[];
  /** The family's templates, by the name of what is made of them. */
  readonly loadTemplates: () => Promise<AnswerFiles>;
  /** @throws KvmimgError `answer-file-value` for a value that the format cannot carry. */
  readonly render: (plan: Plan, run: RunFacts, templates: AnswerFiles) => AnswerFiles;
  /**
   * The arguments of the installer's kernel.
   *
   * @param machineArguments what the machine wants of it, such as those that make emulation faster.
   */
  readonly kernelArguments: (plan: Plan, run: RunFacts, machineArguments: readonly string[]) => readonly string[];
}
