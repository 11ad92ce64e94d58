/** All that the configuration takes from its surroundings; nothing else is read. */
export interface ConfigContext {
  readonly env: Readonly<Record<string, string | undefined>>
  readonly homeDir: string
  readonly platform: NodeJS.Platform
  /** Where the system's own configuration lies: `/etc`. */
  readonly etcDir: string
  /** Told of each file that was there. */
  readonly onRead?: ((file: string) => void) | undefined
  /** Told of what is allowed but unwise. */
  readonly onWarning?: ((message: string) => void) | undefined
}

/** The largest configuration file that is read, in bytes. */
export const maxConfigBytes = 1024 * 1024
