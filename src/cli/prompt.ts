import { StringDecoder } from 'node:string_decoder'
import { DrayError } from '../errors.ts'
import type { Terminal } from './terminal.ts'
import { widthOf } from './text-width.ts'

const maxLineLength = 64 * 1024

export interface PromptOptions {
  /** Shows what is typed. Without it nothing is shown, not even how much. */
  readonly echo?: boolean
  /** Ends the prompt as Ctrl-C does. */
  readonly signal?: AbortSignal | undefined
}

/**
 * Asks for one line. Backspace and Ctrl-U work; arrow keys and the like are ignored. The terminal is in raw mode
 * meanwhile, so that Ctrl-C comes as a character, and is put back in every case.
 * @throws DrayError `ABORTED` at Ctrl-C, at Ctrl-D on an empty line, and when the terminal goes away
 */
export async function promptLine(
  question: string,
  terminal: Terminal,
  options: PromptOptions = {},
): Promise<string> {
  const { input, output } = terminal
  output.write(question)
  input.setRawMode(true)
  try {
    return await readLine(terminal, options)
  } finally {
    input.setRawMode(false)
    output.write('\n')
  }
}

function readLine({ input, output }: Terminal, options: PromptOptions): Promise<string> {
  const decoder = new StringDecoder('utf8')
  const line = new LineEditor(text => options.echo && output.write(text))
  return new Promise((resolve, reject) => {
    const settle = (outcome: LineOutcome) => {
      input.pause()
      input.off('data', onData).off('end', onEnd).off('error', onEnd)
      options.signal?.removeEventListener('abort', onEnd)
      if (outcome.done) {
        // What was pasted behind the line's end answers the next question.
        if (outcome.rest !== '') input.unshift(outcome.rest)
        resolve(outcome.line)
      } else reject(new DrayError('ABORTED', 'the prompt was interrupted'))
    }
    const onData = (chunk: Buffer | string) => {
      const outcome = line.type(typeof chunk === 'string' ? chunk : decoder.write(chunk))
      if (outcome) settle(outcome)
    }
    const onEnd = () => settle({ done: false })
    input.on('data', onData).on('end', onEnd).on('error', onEnd)
    options.signal?.addEventListener('abort', onEnd)
    if (options.signal?.aborted) onEnd()
    else input.resume()
  })
}

type LineOutcome = { readonly done: true; line: string; rest: string } | { readonly done: false }

/** Turns keys into a line. `show` gets what the screen is to repeat. */
class LineEditor {
  readonly #show: (text: string) => void
  #characters: string[] = []
  #escape = ''

  constructor(show: (text: string) => void) {
    this.#show = show
  }

  type(text: string): LineOutcome | undefined {
    const keys = Array.from(text)
    for (const [at, key] of keys.entries()) {
      if (this.#isInEscape(key)) continue
      if (key === '\r' || key === '\n') {
        return { done: true, line: this.#characters.join(''), rest: keys.slice(at + 1).join('') }
      }
      if (key === '\x03' || (key === '\x04' && this.#characters.length === 0)) return { done: false }
      this.#edit(key)
    }
    return undefined
  }

  #edit(key: string): void {
    if (key === '\x7f' || key === '\b') this.#erase(1)
    else if (key === '\x15') this.#erase(this.#characters.length)
    else if (key >= ' ' && this.#characters.length < maxLineLength) {
      this.#characters.push(key)
      this.#show(key)
    }
  }

  #erase(count: number): void {
    const gone = this.#characters.splice(this.#characters.length - Math.min(count, this.#characters.length))
    this.#show('\b \b'.repeat(widthOf(gone.join(''))))
  }

  /** Swallows what special keys send: `ESC [ … letter`, `ESC O letter`, `ESC letter` (ECMA-48, 5.4). */
  #isInEscape(key: string): boolean {
    if (this.#escape === '' && key !== '\x1b') return false
    this.#escape += key
    if (/^\x1b(?:\[[0-?]*[ -/]*[@-~]|O.|[^[O])$/s.test(this.#escape)) this.#escape = ''
    return true
  }
}
