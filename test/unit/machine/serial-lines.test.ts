import { describe, expect, it } from 'vitest';
import { SerialLines } from '../../../src/machine/serial-lines.ts';

interface Case {
  readonly title: string;
  readonly chunks: readonly (string | readonly number[])[];
  readonly lines: readonly string[];
  readonly unfinished?: string;
}

const cases: readonly Case[] = [
  { title: 'lines that end in CR LF', chunks: ['one\r\ntwo\r\n'], lines: ['one', 'two'] },
  { title: 'a line in pieces', chunks: ['o', 'ne\r', '\ntw', 'o\n'], lines: ['one', 'two'] },
  { title: 'a progress bar, each state a line', chunks: ['1%\r50%\r100%\r\n'], lines: ['1%', '50%', '100%'] },
  { title: 'no empty lines', chunks: ['\r\n\r\n  \r\na\n'], lines: ['a'] },
  {
    title: 'a prompt is there although it never ends',
    chunks: ['Language:\r\n', "Prompt: '?' for help, default=1> "],
    lines: ['Language:'],
    unfinished: "Prompt: '?' for help, default=1>",
  },
  { title: 'colours are removed', chunks: ['\x1b[1;31mred\x1b[0m text\n'], lines: ['red text'] },
  { title: 'an escape sequence in pieces', chunks: ['a\x1b', '[', '3', '1mb\n'], lines: ['ab'] },
  { title: 'a window title is removed', chunks: ['\x1b]0;title\x07a\x1b]2;x\x1b\\b\n'], lines: ['ab'] },
  { title: 'a character set is removed', chunks: ['\x1b(Ba\x1b)0b\x1b=c\n'], lines: ['abc'] },
  {
    title: 'a cursor that goes elsewhere ends the line',
    chunks: ['\x1b[2J\x1b[01;01HBdsDxe\x1b[05;01HBoot\x1b[Ktail\n'],
    lines: ['BdsDxe', 'Boottail'],
  },
  { title: 'backspace deletes', chunks: ['ab\bc\n'], lines: ['ac'] },
  { title: 'control characters are left out, tabs are not', chunks: ['a\x00\x07\tb\n'], lines: ['a\tb'] },
  { title: 'a character of two bytes in two pieces', chunks: [[0xc3], [0xa9, 0x0a]], lines: ['é'] },
  { title: 'bytes that are no text do no harm', chunks: [[0xff, 0x41, 0x0a]], lines: ['\ufffdA'] },
  {
    title: 'a line without end is cut',
    chunks: ['x'.repeat(5_000)],
    lines: ['x'.repeat(4_096)],
    unfinished: 'x'.repeat(904),
  },
];

describe('SerialLines', () => {
  it.each(cases)('$title', ({ chunks, lines, unfinished = '' }) => {
    const splitter = new SerialLines();
    const seen = chunks.flatMap((chunk) =>
      splitter.push(typeof chunk === 'string' ? Buffer.from(chunk) : Uint8Array.from(chunk)),
    );
    expect(seen).toEqual(lines);
    expect(splitter.unfinished).toBe(unfinished);
  });

  it('gives the same lines whatever the pieces', () => {
    const text = Buffer.from('a\x1b[1mé\r\n\x1b[5;1Hb\tc\r\nd');
    const whole = new SerialLines().push(text);
    const splitter = new SerialLines();
    expect([...text].flatMap((byte) => splitter.push(Uint8Array.of(byte)))).toEqual(whole);
  });
});
