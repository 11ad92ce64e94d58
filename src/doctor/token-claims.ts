import * as z from 'zod/mini'

const accessSchema = z.object({
  type: z.string(),
  name: z.string(),
  actions: z.array(z.string()),
})

const claimsSchema = z.object({
  iss: z.optional(z.string()),
  sub: z.optional(z.string()),
  aud: z.optional(z.union([z.string(), z.array(z.string())])),
  /** Seconds since 1970. */
  exp: z.optional(z.number()),
  nbf: z.optional(z.number()),
  iat: z.optional(z.number()),
  access: z.optional(z.nullable(z.array(accessSchema))),
})

/** What a registry's token says openly (distribution's "Token Authentication Implementation"); nothing that opens a door. */
export type TokenClaims = z.infer<typeof claimsSchema>

const maxTokenLength = 256 * 1024

/** The claims of a JWT (RFC 7519), not verified; undefined for a token that only its registry can read. */
export function readClaims(token: string): TokenClaims | undefined {
  const [, payload, signature] = token.split('.')
  if (payload === undefined || signature === undefined || token.length > maxTokenLength) return undefined
  try {
    return claimsSchema.parse(JSON.parse(Buffer.from(payload, 'base64url').toString('utf8')))
  } catch {
    // It only looked like one.
    return undefined
  }
}

/** Which of the actions the token does not grant in a repository. */
export function missingActions(
  { access }: TokenClaims,
  repository: string,
  actions: readonly string[],
): string[] {
  const granted = (access ?? [])
    .filter(({ type, name }) => type === 'repository' && name === repository)
    .flatMap(each => each.actions)
  return granted.includes('*') ? [] : actions.filter(action => !granted.includes(action))
}
