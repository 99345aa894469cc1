import type { KvmimgError } from '../../errors.ts';

/** The tag of what the installer writes to the serial console, line by line. */
export const serialTag = 'serial';

/** One message of the installer's syslog, of a callback, or a line of its console. */
export interface InstallerMessage {
  readonly tag: string;
  readonly text: string;
}

/** A request of the installer's for `callback/<name>`. */
export interface InstallerCallback {
  readonly name: string;
  readonly body: string;
}

/** How one family's installer tells what it does and that it has failed. */
export interface InstallerVoice {
  /** What the installer does now, and how far the whole install is (0 to 1), where a message tells it. */
  readonly readActivity: (
    message: InstallerMessage,
  ) => { readonly activity: string; readonly fraction?: number } | undefined;
  /** The failure that a syslog message reports. */
  readonly findFailure: (message: InstallerMessage) => KvmimgError | undefined;
  /** The failure that a serial line shows; `before` are the lines above it, oldest first. */
  readonly findSerialFailure: (line: string, before: readonly string[]) => KvmimgError | undefined;
  /** What a callback says as messages: an event, lines of a log. None for a point of progress. */
  readonly readCallback?: (callback: InstallerCallback) => readonly InstallerMessage[];
  /** The failure that a callback reports. */
  readonly findCallbackFailure: (callback: InstallerCallback) => KvmimgError | undefined;
  /** The callback that comes behind the logs of a failure; without one a failure ends the build at once. */
  readonly saysLast?: string;
  /** The callback after which the installer's reset of the machine is its end; without one only a power-off is. */
  readonly resetsAfter?: string;
  /** A serial line that also comes when nothing happens, and so is no sign of life. */
  readonly isIdleLine: (line: string) => boolean;
}
