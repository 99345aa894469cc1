import { createSocket, type Socket } from 'node:dgram';
import { type Socket as Connection, createServer, type Server } from 'node:net';
import { systemErrorCode } from '../errors.ts';
import type { Scope } from '../lifecycle/scope.ts';
import { parseSyslogMessage, type SyslogMessage } from './syslog-message.ts';

export interface SyslogReceiverOptions {
  readonly scope: Scope;
  readonly onMessage: (message: SyslogMessage) => void;
}

export interface SyslogReceiver {
  /** The port, by UDP and by TCP; the guest reaches it at the address of this host. */
  readonly port: number;
  readonly close: () => Promise<void>;
}

/** Longer datagrams are cut: no line of an installer's log that says something is longer. */
const maxMessageBytes = 8 * 1024;

/** A free UDP port is most often free for TCP, too. */
const attempts = 10;

/** Receives the guest's log by UDP, and by TCP as rsyslog forwards it, on one port of 127.0.0.1. The scope closes it. */
export async function startSyslogReceiver({ scope, onMessage }: SyslogReceiverOptions): Promise<SyslogReceiver> {
  const { socket, server, port } = await bindBoth();
  const connections = new Set<Connection>();
  let closing: Promise<void> | undefined;
  const close = (): Promise<void> => {
    closing ??= closeBoth(socket, server, connections);
    return closing;
  };
  scope.defer('close the syslog receiver', close);
  socket.on('message', (datagram) => {
    onMessage(parseSyslogMessage(datagram.subarray(0, maxMessageBytes).toString('utf8')));
  });
  server.on('connection', (connection) => {
    connections.add(connection);
    connection.on('close', () => connections.delete(connection));
    // A guest that is gone has nothing more to say.
    connection.on('error', () => {});
    const onLine = makeLineSplitter((line) => onMessage(parseSyslogMessage(line)));
    connection.setEncoding('utf8').on('data', onLine);
  });
  // A datagram socket that is bound reports errors of single packets here; there is nobody to tell.
  socket.on('error', () => {});
  server.on('error', () => {});
  return { port, close };
}

/** RFC 6587, section 3.4.2: messages end with a line break. What is longer than a message may be is cut. */
function makeLineSplitter(onLine: (line: string) => void): (piece: string) => void {
  let rest = '';
  return (piece) => {
    const lines = `${rest}${piece}`.split('\n');
    rest = (lines.pop() ?? '').slice(0, maxMessageBytes);
    for (const line of lines) if (line.trim() !== '') onLine(line.slice(0, maxMessageBytes));
  };
}

interface Bound {
  readonly socket: Socket;
  readonly server: Server;
  readonly port: number;
}

async function bindBoth(attempt = 1): Promise<Bound> {
  const socket = createSocket('udp4');
  const port = await bind(socket);
  const server = createServer();
  try {
    await listen(server, port);
    return { socket, server, port };
  } catch (error) {
    socket.close();
    if (attempt >= attempts || systemErrorCode(error) !== 'EADDRINUSE') throw error;
    return bindBoth(attempt + 1);
  }
}

function bind(socket: Socket): Promise<number> {
  return new Promise((resolve, reject) => {
    socket.once('error', reject);
    socket.bind(0, '127.0.0.1', () => {
      socket.off('error', reject);
      resolve(socket.address().port);
    });
  });
}

function listen(server: Server, port: number): Promise<void> {
  return new Promise((resolve, reject) => {
    server.once('error', reject);
    server.listen(port, '127.0.0.1', () => {
      server.off('error', reject);
      resolve();
    });
  });
}

async function closeBoth(socket: Socket, server: Server, connections: Iterable<Connection>): Promise<void> {
  const ended = new Promise<void>((resolve) => server.close(() => resolve()));
  for (const connection of connections) connection.destroy();
  await Promise.all([ended, new Promise<void>((resolve) => socket.close(() => resolve()))]);
}
