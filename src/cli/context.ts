import type { Stdout } from './stdout.ts'

/** What a command gets from the outside: the only way to the process it runs in. */
export interface CliContext {
  readonly env: Readonly<Record<string, string | undefined>>
  readonly homeDir: string
  readonly platform: NodeJS.Platform
  readonly uid: number | undefined
  readonly stdin: NodeJS.ReadStream
  /** Results go here, and nothing else. */
  readonly stdout: Stdout
  /** Talk goes here: progress, warnings, errors. */
  readonly stderr: NodeJS.WriteStream
  /** Aborted by Ctrl-C. */
  readonly signal: AbortSignal
  /** The program goes on for as long as it is let, as a server does. */
  readonly isLasting?: boolean
  /**
   * Calls back at each SIGHUP, which then does not end the process, until what it returns is called. Where the terminal has
   * gone, that ends it all the same.
   */
  onHangup(listener: () => void): () => void
}
