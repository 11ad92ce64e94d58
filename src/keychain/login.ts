/** What docker calls credentials: for an identity token the username is `<token>`. */
export interface Login {
  readonly username: string
  readonly secret: string
}

/** The text that the keychain keeps for a login. */
export function encodeLogin({ username, secret }: Login): string {
  return JSON.stringify({ Username: username, Secret: secret })
}

/** The inverse of `encodeLogin`; undefined for any other text. */
export function decodeLogin(text: string): Login | undefined {
  const document = parseObject(text)
  if (typeof document?.Username !== 'string' || typeof document.Secret !== 'string') return undefined
  return { username: document.Username, secret: document.Secret }
}

/** The JSON object that the text is; undefined for any other text. JSON.parse's own error would quote the secret. */
export function parseObject(text: string): Readonly<Record<string, unknown>> | undefined {
  try {
    const document: unknown = JSON.parse(text)
    return typeof document === 'object' && document !== null ? { ...document } : undefined
  } catch {
    return undefined
  }
}
