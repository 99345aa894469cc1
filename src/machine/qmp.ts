import { connect, type Socket } from 'node:net';
import { z } from 'zod';
import { KvmimgError } from '../errors.ts';

/** The commands that kvmimg uses, with what they return. QEMU's own reference: docs/interop/qemu-qmp-ref. */
const resultSchemas = {
  qmp_capabilities: z.unknown(),
  cont: z.unknown(),
  quit: z.unknown(),
  system_powerdown: z.unknown(),
  /** Arguments: `filename`, and `format` (`png`, since QEMU 7.1). */
  screendump: z.unknown(),
  'query-status': z.object({ status: z.string() }),
  /** Arguments: `device`, `snapshot-file`, `format`, `mode` (`existing`: the overlay was made before). */
  'blockdev-snapshot-sync': z.unknown(),
  /** Argument: `command-line`. */
  'human-monitor-command': z.string(),
} as const;

export type QmpCommand = keyof typeof resultSchemas;

export interface QmpEvent {
  readonly event: string;
  readonly data: Readonly<Record<string, unknown>>;
}

const messageSchema = z.union([
  z.object({ QMP: z.record(z.string(), z.unknown()) }),
  z.object({ event: z.string(), data: z.record(z.string(), z.unknown()).default({}) }),
  z.object({ id: z.number(), error: z.object({ class: z.string(), desc: z.string() }) }),
  z.object({ id: z.number(), return: z.unknown() }),
]);

interface Pending {
  readonly resolve: (value: unknown) => void;
  readonly reject: (error: KvmimgError) => void;
}

const answerLimitMs = 10_000;

/** A connection to QEMU's machine protocol: JSON lines on a unix socket. */
export class QmpConnection {
  readonly #socket: Socket;
  readonly #pending = new Map<number, Pending>();
  #onEvent: (event: QmpEvent) => void = () => {};
  #nextId = 1;
  #unread = '';
  /** Settles when the connection has ended, for whatever reason; never rejects. */
  readonly closed: Promise<void>;

  private constructor(socket: Socket) {
    this.#socket = socket;
    this.closed = new Promise((resolve) => socket.once('close', () => resolve()));
    socket.setEncoding('utf8');
    socket.on('data', (text: string) => this.#read(text));
    socket.on('error', () => socket.destroy());
    void this.closed.then(() => this.#failPending());
  }

  /**
   * Connects to a socket that QEMU listens on and takes it through the greeting.
   *
   * @throws the socket's system error (`ENOENT`, `ECONNREFUSED`) when nobody listens yet.
   */
  static async open(socketPath: string): Promise<QmpConnection> {
    const socket = connect(socketPath);
    await new Promise<void>((resolve, reject) => {
      socket.once('connect', resolve);
      socket.once('error', reject);
    });
    const connection = new QmpConnection(socket);
    try {
      // QEMU greets first, but does not mind an answer that crosses its greeting.
      await connection.execute('qmp_capabilities');
    } catch (error) {
      connection.close();
      throw error;
    }
    return connection;
  }

  /** @throws KvmimgError `qmp-refused` with QEMU's words, `qmp-closed`, `qmp-silent` after ten seconds. */
  async execute<C extends QmpCommand>(
    command: C,
    args?: Readonly<Record<string, unknown>>,
  ): Promise<z.output<(typeof resultSchemas)[C]>> {
    if (this.#socket.destroyed) throw closedError(command);
    const id = this.#nextId++;
    const answer = new Promise<unknown>((resolve, reject) => this.#pending.set(id, { resolve, reject }));
    const timer = setTimeout(() => this.#pending.get(id)?.reject(silentError(command)), answerLimitMs);
    try {
      this.#socket.write(`${JSON.stringify({ execute: command, id, ...(args ? { arguments: args } : {}) })}\n`);
      const result = resultSchemas[command].parse(await answer);
      return result as z.output<(typeof resultSchemas)[C]>;
    } finally {
      clearTimeout(timer);
      this.#pending.delete(id);
    }
  }

  /** Events from now on go to this one listener. */
  onEvent(listener: (event: QmpEvent) => void): void {
    this.#onEvent = listener;
  }

  close(): void {
    this.#socket.destroy();
  }

  #read(text: string): void {
    const lines = (this.#unread + text).split('\n');
    this.#unread = lines.pop() ?? '';
    for (const line of lines) if (line.trim() !== '') this.#take(line);
  }

  #take(line: string): void {
    const message = parseMessage(line);
    if (message === undefined) this.close();
    else if ('event' in message) this.#onEvent(message);
    else if ('error' in message) this.#pending.get(message.id)?.reject(refusedError(message.error.desc));
    else if ('id' in message) this.#pending.get(message.id)?.resolve(message.return);
  }

  #failPending(): void {
    for (const { reject } of this.#pending.values()) reject(closedError('a command'));
  }
}

function parseMessage(line: string): z.output<typeof messageSchema> | undefined {
  try {
    return messageSchema.safeParse(JSON.parse(line)).data;
  } catch {
    return undefined;
  }
}

function refusedError(description: string): KvmimgError {
  return new KvmimgError({ code: 'qmp-refused', message: `QEMU refused a command: ${description}` });
}

function closedError(command: string): KvmimgError {
  return new KvmimgError({
    code: 'qmp-closed',
    message: `QEMU closed its control connection before it answered ${command}.`,
  });
}

function silentError(command: string): KvmimgError {
  return new KvmimgError({
    code: 'qmp-silent',
    message: `QEMU did not answer ${command} within ${answerLimitMs / 1000} s.`,
    hint: 'The host may be out of memory, or QEMU may be stopped.',
  });
}
