import { mkdtemp, rm } from 'node:fs/promises';
import { createServer, type Server, type Socket } from 'node:net';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { afterEach, beforeEach, describe, expect, it } from 'vitest';
import { QmpConnection, type QmpEvent } from '../../../src/machine/qmp.ts';

let dir: string;
let path: string;
let server: Server | undefined;

beforeEach(async () => {
  dir = await mkdtemp(join(tmpdir(), 'kvmimg-test-'));
  path = join(dir, 'qmp');
});

afterEach(async () => {
  server?.close();
  await rm(dir, { recursive: true, force: true });
});

interface Request {
  readonly execute: string;
  readonly id: number;
}

/** A QEMU that answers with what `answer` gives; `undefined` is silence. */
async function serve(answer: (request: Request, socket: Socket) => string | undefined): Promise<void> {
  server = createServer((socket) => {
    socket.on('error', () => {});
    socket.write('{"QMP": {"version": {}, "capabilities": ["oob"]}}\r\n');
    socket.on('data', (data) => {
      for (const line of data.toString().trim().split('\n')) {
        const request: Request = JSON.parse(line);
        const text =
          request.execute === 'qmp_capabilities' ? `{"return": {}, "id": ${request.id}}\r\n` : answer(request, socket);
        if (text !== undefined) socket.write(text);
      }
    });
  });
  await new Promise<void>((resolve) => server?.listen(path, resolve));
}

describe('QmpConnection', () => {
  it('matches answers to commands, whatever their order and pieces', async () => {
    const waiting: number[] = [];
    await serve(({ id }, socket) => {
      waiting.push(id);
      if (waiting.length < 2) return undefined;
      const [first, second] = waiting;
      socket.write(`{"return": {"status": "paused"}, "id": ${second}}\r\n{"return": {"sta`);
      setTimeout(() => socket.write(`tus": "running"}, "id": ${first}}\r\n`), 20);
      return undefined;
    });
    const qmp = await QmpConnection.open(path);
    const answers = await Promise.all([qmp.execute('query-status'), qmp.execute('query-status')]);
    expect(answers).toEqual([{ status: 'running' }, { status: 'paused' }]);
    qmp.close();
  });

  it('passes events on', async () => {
    const event =
      '{"timestamp": {"seconds": 1, "microseconds": 2}, "event": "SHUTDOWN", "data": {"reason": "guest-reset"}}';
    await serve(({ id }) => `${event}\r\n{"event": "STOP"}\r\n{"return": {}, "id": ${id}}\r\n`);
    const qmp = await QmpConnection.open(path);
    const events: QmpEvent[] = [];
    qmp.onEvent((seen) => events.push(seen));
    await qmp.execute('cont');
    expect(events).toEqual([
      { event: 'SHUTDOWN', data: { reason: 'guest-reset' } },
      { event: 'STOP', data: {} },
    ]);
    qmp.close();
  });

  it("fails with QEMU's words", async () => {
    await serve(({ id }) => `{"id": ${id}, "error": {"class": "GenericError", "desc": "no display"}}\r\n`);
    const qmp = await QmpConnection.open(path);
    await expect(qmp.execute('screendump')).rejects.toMatchObject({
      code: 'qmp-refused',
      message: 'QEMU refused a command: no display',
    });
    qmp.close();
  });

  it.each([
    ['QEMU ends', (socket: Socket) => void socket.end()],
    ['what it says is no JSON', (socket: Socket) => void socket.write('nonsense\n')],
    ['what it says is no QMP', (socket: Socket) => void socket.write('{"a": 1}\n')],
  ])('fails what is open when %s', async (_title, disturb) => {
    await serve((_request, socket) => {
      disturb(socket);
      return undefined;
    });
    const qmp = await QmpConnection.open(path);
    await expect(qmp.execute('quit')).rejects.toMatchObject({ code: 'qmp-closed' });
    await qmp.closed;
    await expect(qmp.execute('quit')).rejects.toMatchObject({ code: 'qmp-closed' });
  });

  it('tells when nobody listens', async () => {
    await expect(QmpConnection.open(path)).rejects.toMatchObject({ code: 'ENOENT' });
  });
});
