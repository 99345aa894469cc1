import { createSocket, type Socket } from 'node:dgram';
import type { Scope } from '../lifecycle/scope.ts';
import { parseSyslogMessage, type SyslogMessage } from './syslog-message.ts';

export interface SyslogReceiverOptions {
  readonly scope: Scope;
  readonly onMessage: (message: SyslogMessage) => void;
}

export interface SyslogReceiver {
  /** The UDP port; the guest reaches it at 10.0.2.2. */
  readonly port: number;
  readonly close: () => Promise<void>;
}

/** Longer datagrams are cut: no line of an installer's log that says something is longer. */
const maxMessageBytes = 8 * 1024;

/** Receives the guest's log by UDP on 127.0.0.1. The scope closes it. */
export async function startSyslogReceiver({ scope, onMessage }: SyslogReceiverOptions): Promise<SyslogReceiver> {
  const socket = createSocket('udp4');
  let closing: Promise<void> | undefined;
  const close = (): Promise<void> => {
    closing ??= new Promise((resolve) => socket.close(() => resolve()));
    return closing;
  };
  scope.defer('close the syslog receiver', close);
  socket.on('message', (datagram) => {
    onMessage(parseSyslogMessage(datagram.subarray(0, maxMessageBytes).toString('utf8')));
  });
  const port = await bind(socket);
  // A datagram socket that is bound reports errors of single packets here; there is nobody to tell.
  socket.on('error', () => {});
  return { port, close };
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
