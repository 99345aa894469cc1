const maxLineLength = 4_096;

type State = 'text' | 'escape' | 'control-sequence' | 'string' | 'string-escape' | 'skip-one';

/** Final bytes of control sequences that move the cursor to another line: what follows is not part of this one. */
const movesToOtherLine = /[ABEFHJdf]/;

/**
 * Turns what a serial console sends into plain lines: escape sequences (ECMA-48) are removed, a carriage return ends a
 * line like a line feed does, backspace deletes, empty lines are left out, and longer lines are cut at 4,096 characters.
 */
export class SerialLines {
  readonly #decoder = new TextDecoder();
  #state: State = 'text';
  #line = '';
  #complete: string[] = [];

  /** The lines that these bytes complete. */
  push(bytes: Uint8Array): readonly string[] {
    for (const char of this.#decoder.decode(bytes, { stream: true })) this.#take(char);
    const complete = this.#complete;
    this.#complete = [];
    return complete;
  }

  /** The line begun and not ended: a prompt, a progress bar. */
  get unfinished(): string {
    return this.#line.trimEnd();
  }

  #take(char: string): void {
    switch (this.#state) {
      case 'text':
        this.#takeText(char);
        return;
      case 'escape':
        this.#state = afterEscape(char);
        return;
      case 'control-sequence':
        if (char < '@' || char > '~') return;
        this.#state = 'text';
        if (movesToOtherLine.test(char)) this.#endLine();
        return;
      case 'string':
        if (char === '\x07') this.#state = 'text';
        else if (char === '\x1b') this.#state = 'string-escape';
        return;
      case 'string-escape':
      case 'skip-one':
        this.#state = 'text';
        return;
    }
  }

  #takeText(char: string): void {
    if (char === '\x1b') this.#state = 'escape';
    else if (char === '\n' || char === '\r') this.#endLine();
    else if (char === '\b') this.#line = this.#line.slice(0, -1);
    else if (char === '\t' || char >= ' ') this.#line += char;
    if (this.#line.length >= maxLineLength) this.#endLine();
  }

  #endLine(): void {
    const line = this.#line.trimEnd();
    this.#line = '';
    if (line !== '') this.#complete.push(line);
  }
}

function afterEscape(char: string): State {
  if (char === '[') return 'control-sequence';
  if (char === ']' || char === 'P' || char === '_' || char === '^') return 'string';
  return '()*+#%'.includes(char) ? 'skip-one' : 'text';
}
