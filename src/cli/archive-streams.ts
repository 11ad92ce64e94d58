import { DrayError } from '../errors.ts'
import type { Chunks } from '../flow.ts'
import type { CliContext } from './context.ts'

/** Stdin and stdout as archives, each once and not by a terminal. */
export class ArchiveStreams implements AsyncDisposable {
  readonly #context: Pick<CliContext, 'stdin' | 'stdout'>
  readonly #isPasswordOnStdin: boolean
  #isStdinTaken = false
  #isStdoutTaken = false

  constructor(context: Pick<CliContext, 'stdin' | 'stdout'>, isPasswordOnStdin: boolean) {
    this.#context = context
    this.#isPasswordOnStdin = isPasswordOnStdin
  }

  /** True when an archive goes to stdout, which then is for nothing else. */
  get isStdoutTaken(): boolean {
    return this.#isStdoutTaken
  }

  /**
   * What comes in.
   * @param name what the archive is called in messages
   * @throws DrayError `USAGE` for a terminal, or where stdin is for something else
   */
  readStdin(name: string): Chunks {
    const { stdin } = this.#context
    if (this.#isStdinTaken) throw new DrayError('USAGE', `${name}: stdin can be read once only`)
    if (this.#isPasswordOnStdin)
      throw new DrayError('USAGE', `${name}: stdin cannot be both an archive and a password`)
    if (stdin.isTTY) {
      throw new DrayError('USAGE', `${name}: stdin is a terminal`, {
        hint: 'pipe an archive in, or name a file',
      })
    }
    this.#isStdinTaken = true
    return stdin
  }

  /**
   * Takes an archive's content.
   * @param name what the archive is called in messages
   * @throws DrayError `USAGE` for a terminal, or where an archive goes there already
   */
  writeStdout(name: string): (content: Chunks) => Promise<void> {
    const { stdout } = this.#context
    if (this.#isStdoutTaken) throw new DrayError('USAGE', `${name}: stdout can be written once only`)
    if (stdout.isTerminal) {
      throw new DrayError('USAGE', `${name}: an archive is nothing for a terminal`, {
        hint: 'redirect it (> FILE), or name a file',
      })
    }
    this.#isStdoutTaken = true
    return content => stdout.writeAll(content)
  }

  /** Lets go of stdin: one that is open and not read to its end would keep the program from ending. */
  async [Symbol.asyncDispose](): Promise<void> {
    if (this.#isStdinTaken) this.#context.stdin.destroy()
  }
}
