import { clearLine, cursorTo, moveCursor } from 'node:readline'
import { Writable } from 'node:stream'

interface Row {
  cells: string
  /** True when the row goes on from the one above without a newline. */
  isContinued: boolean
}

/**
 * A terminal that keeps its screen: it wraps, obeys the cursor and erase sequences that progress uses, and breaks lines
 * anew when it is resized, as most terminals do. It has no scrollback; it grows instead.
 */
export class FakeTerminal extends Writable {
  readonly isTTY = true
  readonly rows = 24
  columns: number
  isCursorHidden = false
  /** All that was written, as it came. */
  raw = ''
  #screen: Row[] = [{ cells: '', isContinued: false }]
  #row = 0
  #column = 0

  constructor(columns: number) {
    super({ decodeStrings: false })
    this.columns = columns
  }

  /** The rows that people see, without empty ones at the end. */
  get screen(): string[] {
    const rows = this.#screen.map(row => row.cells.trimEnd())
    while (rows.at(-1) === '') rows.pop()
    return rows
  }

  cursorTo(x: number): boolean {
    return cursorTo(this, x)
  }

  moveCursor(dx: number, dy: number): boolean {
    return moveCursor(this, dx, dy)
  }

  clearLine(direction: -1 | 0 | 1): boolean {
    return clearLine(this, direction)
  }

  resize(columns: number): void {
    const lines: { text: string; cursor?: number }[] = []
    for (const [at, row] of this.#screen.entries()) {
      if (!row.isContinued) lines.push({ text: '' })
      const line = lines.at(-1)
      if (line && at === this.#row) line.cursor = line.text.length + this.#column
      if (line) line.text += row.cells
    }
    this.columns = columns
    this.#screen = []
    for (const line of lines) this.#breakLine(line)
    this.emit('resize')
  }

  #breakLine({ text, cursor }: { text: string; cursor?: number }): void {
    const first = this.#screen.length
    const count = Math.max(1, Math.ceil(text.length / this.columns))
    for (let part = 0; part < count; part += 1) {
      const cells = text.slice(part * this.columns, (part + 1) * this.columns)
      this.#screen.push({ cells, isContinued: part > 0 })
    }
    if (cursor === undefined) return
    this.#row = first + Math.min(count - 1, Math.floor(cursor / this.columns))
    this.#column = cursor - (this.#row - first) * this.columns
  }

  override _write(chunk: string | Buffer, _encoding: string, done: () => void): void {
    const text = chunk.toString()
    this.raw += text
    // A terminal's driver turns \n into \r\n.
    for (const [part] of text.replaceAll('\n', '\r\n').matchAll(/\x1b\[[?\d;]*[A-Za-z]|./gs)) this.#obey(part)
    done()
  }

  #obey(part: string): void {
    const [, argument = '', command] = /^\x1b\[([?\d;]*)([A-Za-z])$/.exec(part) ?? []
    const row = this.#at(this.#row)
    if (part === '\r') this.#column = 0
    else if (part === '\n') this.#row += 1
    else if (command === undefined) this.#put(part)
    else if (command === 'A') this.#row = Math.max(0, this.#row - Number(argument || 1))
    else if (command === 'G') this.#column = Number(argument || 1) - 1
    else if (command === 'K') row.cells = row.cells.slice(0, this.#column)
    else if (command === 'J') {
      row.cells = row.cells.slice(0, this.#column)
      this.#screen.length = this.#row + 1
    } else if (argument === '?25') this.isCursorHidden = command === 'l'
    else if (command !== 'm' && argument !== '?2026')
      throw new Error(`unknown sequence ${JSON.stringify(part)}`)
  }

  #put(character: string): void {
    const isWrapped = this.#column >= this.columns
    if (isWrapped) {
      this.#row += 1
      this.#column = 0
    }
    const row = this.#at(this.#row)
    if (isWrapped) row.isContinued = true
    const before = row.cells.padEnd(this.#column).slice(0, this.#column)
    row.cells = before + character + row.cells.slice(this.#column + 1)
    this.#column += 1
  }

  #at(index: number): Row {
    while (this.#screen.length <= index) this.#screen.push({ cells: '', isContinued: false })
    return this.#screen[index] ?? { cells: '', isContinued: false }
  }
}
