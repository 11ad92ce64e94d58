const mask = '***'

/**
 * Masks what could be used to log in or to fetch: Authorization headers, bearer and basic tokens, JWTs, well-known
 * access tokens, passwords and tokens in JSON, forms and query strings, signatures of CDN addresses, userinfo in URLs.
 * Everything that goes to stderr passes through here. It masks a word too many rather than one too few, and takes
 * time in proportion to the text, whatever the text is.
 */
export function redact(text: string): string {
  return text
    .replace(headerLine, (line, start: string, name: string, scheme = '') =>
      isHeader(name) && isSecretName(name) ? `${start}${scheme}${mask}` : line,
    )
    .replace(authorization, (_, start: string, scheme = '') => `${start}${scheme}${mask}`)
    .replace(quotedField, (field, start: string, name: string, quote: string) =>
      isSecretName(name) ? `${start}${quote}${mask}${quote}` : field,
    )
    .replace(parameter, (whole, start: string, name: string) =>
      isSecretName(name) ? `${start}${mask}` : whole,
    )
    .replace(userinfo, `$1${mask}@`)
    .replace(bareUserinfo, `$1${mask}@`)
    .replace(schemeAndToken, `$1${mask}`)
    .replace(knownToken, mask)
}

// Every pattern that begins with a repeated class is held to the start of a word, which keeps it linear.

/** `X-Api-Token: abc` at the start of a line, as a trace shows headers. */
const headerLine = /^([ \t<>*]*([a-z][\w.-]*)[ \t]*:[ \t]*)((?:basic|bearer)[ \t]+)?[^\r\n]+/gim

/** `Authorization: Basic abc`, also within quotes, as a header object is printed. */
const authorization =
  /((?:authorization|x-registry-auth|cookie)\\?["']?\s*[:=]\s*\\?["']?)((?:basic|bearer)\s+)?[^\r\n"'\\]+/gi

/** `"token": "abc"`, `password: 'abc'`, and JSON within JSON: `\"token\":\"abc\"`. An end may be missing. */
const quotedField =
  /((?<![\w.-])([\w.-]+)\\?["']?\s{0,9}[:=]\s{0,9}(?=(\\?["'])))(?:"(?:\\.|[^"\\])*|'(?:\\.|[^'\\])*|\\"(?:[^"\\]|\\\\(?:\\.|.)?)*|\\'[^'\\]*)(?:\\?["'])?/gs

/** `password=abc`, `?X-Amz-Signature=abc&…`. */
const parameter = /((?<![\w.-])([\w.-]+)=)[^\s&"'<>\\]+/g

/** `https://user:secret@host`, but not `docker://alpine@sha256:…`. */
const userinfo = /((?<![a-z0-9+.-])[a-z][a-z0-9+.-]*:\/\/)[^\s/?#"'<>]*@(?!sha(?:256|512):)/gi

/** `user:secret@host`, but not `alpine:3.20@sha256:…`. */
const bareUserinfo = /((?<![^\s"'])[\w.%+~-]+:)[^\s"'/?#<>]+@(?!sha(?:256|512):)/g

/** `Bearer abc`, but not `Bearer realm="…"` nor talk about basic authentication or a bearer token. */
const schemeAndToken =
  /\b((?:bearer|basic)\s+)(?!(?:auth|realm|error|scope|service|token|challenge|credential|scheme)[a-z]*\b)[\w.~+/=-]{6,}/gi

const knownToken = /\b(?:eyJ[\w-]{8,}(?:\.[\w-]*)*|(?:gh[opsur]_|github_pat_|glpat-|dckr_[op]at_)[\w-]{10,})/g

const secretNames = new Set(['auth', 'cookie', 'hmac', 'keypairid', 'policy', 'pwd', 'sig', 'verify'])

/** A word and a colon at the start of a line may be talk (`token: 401`); the name of a header is no such word. */
function isHeader(name: string): boolean {
  return /-|^(?:authorization|cookie)$/i.test(name)
}

function isSecretName(name: string): boolean {
  const bare = name.toLowerCase().replace(/[-_.]/g, '')
  return (
    secretNames.has(bare) ||
    /(?:password|passwd|passphrase|secret|token|signature|credential|apikey|accesskey|artapi|assertion|authorization|registryauth|cookie)$/.test(
      bare,
    )
  )
}
