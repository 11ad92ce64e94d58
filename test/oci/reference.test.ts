import fc from 'fast-check'
import { describe, expect, it } from 'vitest'
import { DrayError } from '../../src/errors.ts'
import {
  formatReference,
  parseReference,
  parseRegistry,
  parseRepository,
  repositoryFault,
  tagFault,
  tagOrDigest,
} from '../../src/oci/reference.ts'

const sha256 = `sha256:${'0a'.repeat(32)}`
const sha512 = `sha512:${'0b'.repeat(64)}`
const hex64 = '1a'.repeat(32)

/** The one DrayError that the call throws. */
function faultOf(call: () => unknown): DrayError {
  try {
    call()
  } catch (error) {
    if (error instanceof DrayError) return error
    throw error
  }
  throw new Error('nothing was thrown')
}

describe('parseReference reads', () => {
  const table: [text: string, full: string][] = [
    // docker.io's rules for short names
    ['alpine', 'docker.io/library/alpine:latest'],
    ['alpine:3.20', 'docker.io/library/alpine:3.20'],
    ['docker.io/alpine', 'docker.io/library/alpine:latest'],
    ['docker.io/library/alpine', 'docker.io/library/alpine:latest'],
    ['DOCKER.IO/alpine', 'docker.io/library/alpine:latest'],
    ['index.docker.io/alpine', 'docker.io/library/alpine:latest'],
    ['index.docker.io/org/app', 'docker.io/org/app:latest'],
    ['registry-1.docker.io/alpine:1', 'docker.io/library/alpine:1'],
    ['org/app', 'docker.io/org/app:latest'],
    ['org/team/app:v1', 'docker.io/org/team/app:v1'],
    ['docker.io:443/alpine', 'docker.io:443/alpine:latest'],
    [hex64.slice(1), `docker.io/library/${hex64.slice(1)}:latest`],
    [`${hex64}:1`, `docker.io/library/${hex64}:1`],
    [`docker.io/${hex64}`, `docker.io/library/${hex64}:latest`],
    [`ghcr.io/${hex64}`, `ghcr.io/${hex64}:latest`],
    // a first part is a registry by its dot, port or capitals, or as localhost
    ['ghcr.io/org/app:1.2', 'ghcr.io/org/app:1.2'],
    ['localhost/app', 'localhost/app:latest'],
    ['LOCALHOST/app', 'localhost/app:latest'],
    ['localhost:5000/app', 'localhost:5000/app:latest'],
    ['localhosts/app', 'docker.io/localhosts/app:latest'],
    ['registry:5000/app:tag', 'registry:5000/app:tag'],
    ['GHCR.io/org/app', 'ghcr.io/org/app:latest'],
    ['Host:5000/app', 'host:5000/app:latest'],
    ['Host/app', 'Host/app:latest'],
    ['192.168.1.1/app', '192.168.1.1/app:latest'],
    ['192.168.1.1:5000/app:5050', '192.168.1.1:5000/app:5050'],
    ['xn--n3h.com/app:xn--n3h.com', 'xn--n3h.com/app:xn--n3h.com'],
    ['a.b-c.d:1/e', 'a.b-c.d:1/e:latest'],
    ['h:65535/e', 'h:65535/e:latest'],
    // without a slash there is no registry, as docker has it
    ['test.com', 'docker.io/library/test.com:latest'],
    ['test.com:5000', 'docker.io/library/test.com:5000'],
    ['localhost', 'docker.io/library/localhost:latest'],
    // IPv6
    ['[::1]/app', '[::1]/app:latest'],
    ['[::1]:5000/app', '[::1]:5000/app:latest'],
    ['[2001:DB8::1]:5000/org/app:tag', '[2001:db8::1]:5000/org/app:tag'],
    [`[2001:db8:1:2:3:4:5:6]/app@${sha256}`, `[2001:db8:1:2:3:4:5:6]/app@${sha256}`],
    // parts of a repository
    ['h.io/a_b', 'h.io/a_b:latest'],
    ['h.io/a__b', 'h.io/a__b:latest'],
    ['h.io/a.b', 'h.io/a.b:latest'],
    ['h.io/a---b', 'h.io/a---b:latest'],
    ['h.io/a-b_c.d/0', 'h.io/a-b_c.d/0:latest'],
    [`h.io/${'a'.repeat(255)}`, `h.io/${'a'.repeat(255)}:latest`],
    ['a'.repeat(247), `docker.io/library/${'a'.repeat(247)}:latest`],
    // tags and digests
    ['h.io/a:_', 'h.io/a:_'],
    ['h.io/a:Tag_1.0-rc.1', 'h.io/a:Tag_1.0-rc.1'],
    [`h.io/a:${'t'.repeat(128)}`, `h.io/a:${'t'.repeat(128)}`],
    [`h.io/a@${sha256}`, `h.io/a@${sha256}`],
    [`h.io/a@${sha512}`, `h.io/a@${sha512}`],
    [`h.io/a:1@${sha256}`, `h.io/a:1@${sha256}`],
    [`alpine:1@${sha512}`, `docker.io/library/alpine:1@${sha512}`],
    ['library/sha256:1', 'docker.io/library/sha256:1'],
    [`library/${sha256}`, `docker.io/library/${sha256}`],
  ]
  it.each(table)('%s as %s', (text, full) => {
    expect(formatReference(parseReference(text))).toBe(full)
  })

  it('the parts apart, and no tag beside a digest alone', () => {
    expect(parseReference(`ghcr.io/org/app:1@${sha256}`)).toEqual({
      registry: 'ghcr.io',
      repository: 'org/app',
      tag: '1',
      digest: sha256,
    })
    expect(parseReference(`app@${sha256}`)).toEqual({
      registry: 'docker.io',
      repository: 'library/app',
      digest: sha256,
    })
  })
})

describe('parseReference refuses', () => {
  const table: [text: string, why: string][] = [
    ['', 'the repository is empty'],
    [':tag', 'the repository is empty'],
    [`@${sha256}`, 'the repository is empty'],
    ['docker.io/', 'the repository is empty'],
    ['ghcr.io/:tag', 'the repository is empty'],
    ['/', 'empty part'],
    ['/app', 'empty part'],
    ['org/', 'empty part'],
    ['ghcr.io/org/', 'empty part'],
    ['ghcr.io//app', 'empty part'],
    ['org///app', 'empty part'],
    // repository
    ['App', '"App" must be lower case'],
    ['org/App:1', '"App" must be lower case'],
    ['h.io/Org/app', '"Org" must be lower case'],
    ['a..b', '"a..b" may hold'],
    ['a___b', '"a___b" may hold'],
    ['a._b', '"a._b" may hold'],
    ['a-.b', '"a-.b" may hold'],
    ['-a', '"-a" may hold'],
    ['a-', '"a-" may hold'],
    ['_a/b', '"_a" may hold'],
    ['a./b', 'the registry "a." is not a host name'],
    ['al pine', '"al pine" may hold'],
    [' alpine', '" alpine" may hold'],
    ['alpine ', '"alpine " may hold'],
    ['h.io/é', '"é" may hold'],
    ['h.io/É', '"É" may hold'],
    ['h.io/a$b', '"a$b" may hold'],
    ['h.io/a%2fb', '"a%2fb" may hold'],
    ['h.io/../b', '".." may hold'],
    ['h.io/a?b=c', '"a?b=c" may hold'],
    ['[::1]', '"[::1]" may hold'],
    [`h.io/${'a'.repeat(256)}`, 'the repository is longer than 255'],
    ['a'.repeat(248), 'the repository is longer than 255'],
    [hex64, "64 hex digits alone are an image's ID"],
    // registry
    [':5000/app', 'the registry is empty'],
    ['localhost:/app', 'the port "" is not'],
    ['localhost:0/app', 'the port "0" is not'],
    ['localhost:65536/app', 'the port "65536" is not'],
    ['localhost:http/app', 'the port "http" is not'],
    ['localhost:-1/app', 'the port "-1" is not'],
    ['-h.io/app', 'the registry "-h.io" is not a host name'],
    ['h-.io/app', 'the registry "h-.io" is not a host name'],
    ['h..io/app', 'the registry "h..io" is not a host name'],
    ['.io/app', 'the registry ".io" is not a host name'],
    ['foo_bar.com/app', 'the registry "foo_bar.com" is not a host name'],
    ['h.io /app', 'the registry "h.io " is not a host name'],
    ['user@h.io/app', 'the digest is wrong'],
    [`${'a'.repeat(250)}.com/app`, 'is not a host name'],
    ['doc\u212Aer.io/app', 'is not a host name'],
    ['[::1/app', 'needs square brackets'],
    ['[/app', 'the registry "[" is not a host name'],
    ['[]/app', 'the registry "[]" is not a host name'],
    ['[::g]/app', 'the registry "[::g]" is not a host name'],
    ['[1:2]/app', 'the registry "[1:2]" is not a host name'],
    ['[fe80::1%eth0]:5000/app', 'the registry "[fe80::1%eth0]" is not a host name'],
    ['[2001:db8:3:4::192.0.2.33]/app', 'is not a host name'],
    ['[::1]:/app', 'the port "" is not'],
    ['fc00::1:5000/app', 'needs square brackets'],
    ['::1/app', 'needs square brackets'],
    // tag
    ['app:', 'the tag is empty'],
    [`app:@${sha256}`, 'the tag is empty'],
    ['app:-1', 'a tag starts with'],
    ['app:.1', 'a tag starts with'],
    ['app:a+b', 'a tag holds only'],
    ['app:a b', 'a tag holds only'],
    ['app:é', 'a tag starts with'],
    [`app:${'t'.repeat(129)}`, 'the tag is longer than 128'],
    ['app:1:2', '"app:1" may hold'],
    // digest
    ['app@', 'the digest is wrong: it must look like sha256:'],
    ['app@latest', 'the digest is wrong: it must look like sha256:'],
    ['app@sha256:', 'sha256 has 64 hex digits, not 0'],
    [`app@${sha256}0`, 'sha256 has 64 hex digits, not 65'],
    [`app@${sha256.slice(0, -1)}`, 'sha256 has 64 hex digits, not 63'],
    [`app@${sha256.toUpperCase()}`, 'the algorithm "SHA256" is not supported'],
    [`app@sha256:${'0A'.repeat(32)}`, 'lower-case hex digits'],
    [`app@sha512:${hex64}`, 'sha512 has 128 hex digits, not 64'],
    [`app@md5:${'0'.repeat(32)}`, 'the algorithm "md5" is not supported'],
    [`app@${sha256}@${sha256}`, 'lower-case hex digits'],
    [`app@${sha256}:tag`, 'lower-case hex digits'],
    [sha256, 'a digest needs a repository'],
    [sha512, 'a digest needs a repository'],
    // what is written for other programs
    ['docker://alpine', 'a reference has no scheme'],
    ['https://ghcr.io/org/app', 'a reference has no scheme'],
  ]
  it.each(table)('%j because %s', (text, why) => {
    const error = faultOf(() => parseReference(text))
    expect(error.code).toBe('INVALID_REFERENCE')
    expect(error.message).toContain(why)
    expect(error.message).toContain(text.length > 256 ? text.slice(0, 256) : text)
  })

  it.each([
    ['a line break', 'app\n', '"app\\u{a}"'],
    ['a carriage return', 'app\r:1', '"app\\u{d}:1"'],
    ['an escape sequence', '\u001b[31mapp', '"\\u{1b}[31mapp"'],
    ['a null', 'app\0', '"app\\u{0}"'],
    ['a C1 control', '\u009b31mapp', '"\\u{9b}31mapp"'],
    ['a reversed direction', 'app\u202egpj', '"app\\u{202e}gpj"'],
    ['a lone surrogate', 'app\ud800', '"app\\u{d800}"'],
    ['a line separator', 'app\u2028', '"app\\u{2028}"'],
  ])('%s, and shows it escaped', (_, text, shown) => {
    expect(faultOf(() => parseReference(text)).message).toContain(`invalid reference ${shown}:`)
  })

  it('very long text, with a message that stays readable', () => {
    for (const text of ['a', '/', ':', 'a/', '[', 'a.b/', 'A', '@', 'a:1/', 'a@x', ' '].map(part =>
      part.repeat(200_000),
    )) {
      expect(faultOf(() => parseReference(text)).message.length).toBeLessThan(1000)
    }
  })
})

describe('parseRepository', () => {
  it.each([
    ['alpine', 'docker.io', 'library/alpine'],
    ['localhost:5000/app', 'localhost:5000', 'app'],
    ['[::1]:5000/org/app', '[::1]:5000', 'org/app'],
    ['latest', 'docker.io', 'library/latest'],
  ])('reads %s', (text, registry, repository) => {
    expect(parseRepository(text)).toEqual({ registry, repository })
  })

  it.each([
    ['alpine:3', 'without a tag'],
    ['alpine:latest', 'without a tag'],
    [`alpine@${sha256}`, 'without a digest'],
    [`alpine:3@${sha256}`, 'without a digest'],
    ['Alpine', 'must be lower case'],
  ])('refuses %s', (text, why) => {
    const error = faultOf(() => parseRepository(text))
    expect(error).toMatchObject({ code: 'INVALID_REFERENCE', message: expect.stringContaining(why) })
    expect(error.message).toContain(text)
  })
})

describe('parseRegistry', () => {
  it.each([
    ['ghcr.io', 'ghcr.io'],
    ['GHCR.IO', 'ghcr.io'],
    ['localhost', 'localhost'],
    ['registry', 'registry'],
    ['localhost:5000', 'localhost:5000'],
    ['[::1]', '[::1]'],
    ['[::1]:5000', '[::1]:5000'],
    ['https://ghcr.io', 'ghcr.io'],
    ['HTTP://localhost:5000/', 'localhost:5000'],
    ['https://index.docker.io/v1/', 'docker.io'],
    ['index.docker.io', 'docker.io'],
    ['registry-1.docker.io', 'docker.io'],
    ['https://quay.io/v2/', 'quay.io'],
    ['https://quay.io/v2', 'quay.io'],
    ['quay.io//', 'quay.io'],
  ])('reads %s as %s', (text, registry) => {
    expect(parseRegistry(text)).toBe(registry)
  })

  it.each([
    ['', 'the registry is empty'],
    ['https://', 'the registry is empty'],
    ['ghcr.io/org', 'without a repository'],
    ['ghcr.io/v3', 'without a repository'],
    ['docker://ghcr.io', 'without a repository'],
    ['ghcr.io:0', 'the port "0"'],
    ['user@ghcr.io', 'is not a host name'],
    ['gh cr.io', 'is not a host name'],
    ['ghcr.io\n', 'is not a host name'],
    ['::1', 'needs square brackets'],
  ])('refuses %j', (text, why) => {
    expect(faultOf(() => parseRegistry(text))).toMatchObject({
      code: 'INVALID_REFERENCE',
      message: expect.stringContaining(why),
    })
  })

  it('names a registry as a reference to it does, so a stored credential is found again', () => {
    for (const host of ['Host', 'Host:5000', 'Index.Docker.io', 'GHCR.io', '[2001:DB8::1]']) {
      expect(parseRegistry(host)).toBe(parseReference(`${host}/org/app`).registry)
    }
  })
})

describe('tagOrDigest', () => {
  it('prefers the digest, then the tag, then latest', () => {
    expect(tagOrDigest(parseReference(`app:1@${sha256}`))).toBe(sha256)
    expect(tagOrDigest(parseReference('app:1'))).toBe('1')
    expect(tagOrDigest({})).toBe('latest')
  })
})

describe('faults', () => {
  it('are undefined for what is right', () => {
    expect(tagFault('v1.0')).toBeUndefined()
    expect(repositoryFault('org/app')).toBeUndefined()
  })

  it('of a tag do not let a line break through at its end', () => {
    expect(tagFault('v1\n')).toContain('a tag holds only')
    expect(repositoryFault('org/app\n')).toContain('may hold')
  })
})

const label = fc.stringMatching(/^[A-Za-z0-9](?:[A-Za-z0-9-]{0,8}[A-Za-z0-9])?$/)
const ipv6 = fc.ipV6().filter(address => !address.includes('.'))
const host = fc.oneof(
  fc.array(label, { minLength: 1, maxLength: 4 }).map(labels => labels.join('.')),
  ipv6.map(address => `[${address}]`),
)
const port = fc.option(fc.integer({ min: 1, max: 65535 }), { nil: undefined })
const part = fc.stringMatching(/^[a-z0-9]{1,4}(?:(?:[._]|__|-{1,3})[a-z0-9]{1,4}){0,3}$/)
const written = fc
  .record({
    registry: fc.option(
      fc.tuple(host, port).map(([name, number]) => (number === undefined ? name : `${name}:${number}`)),
      { nil: undefined },
    ),
    path: fc.array(part, { minLength: 1, maxLength: 4 }).map(parts => parts.join('/')),
    tag: fc.option(fc.stringMatching(/^[A-Za-z0-9_][A-Za-z0-9_.-]{0,20}$/), { nil: undefined }),
    digest: fc.constantFrom(undefined, sha256, sha512),
  })
  // Without a registry in front, a dot in the first part would make it one.
  .filter(({ registry, path }) => registry !== undefined || !/^[^/]*\.[^/]*\//.test(path))
  .map(({ registry, path, tag, digest }) =>
    [registry && `${registry}/`, path, tag && `:${tag}`, digest && `@${digest}`].filter(Boolean).join(''),
  )

describe('for any text', () => {
  it('a reference that was read is read the same from its full form', () => {
    fc.assert(
      fc.property(written, text => {
        const reference = parseReference(text)
        const full = formatReference(reference)
        expect(parseReference(full)).toEqual(reference)
        expect(formatReference(parseReference(full))).toBe(full)
      }),
      { numRuns: 2000 },
    )
  })

  const pieces = [
    'a',
    'A',
    '.',
    ':',
    '/',
    '@',
    '[',
    ']',
    '-',
    '_',
    '0',
    sha256,
    'docker.io',
    '\n',
    'é',
    '%',
    ' ',
  ]
  const anyText = fc.oneof(
    fc.string({ unit: 'binary', maxLength: 300 }),
    fc.array(fc.constantFrom(...pieces), { maxLength: 30 }).map(parts => parts.join('')),
  )

  it('only a DrayError of one printable line is thrown, and what is read round-trips', () => {
    fc.assert(
      fc.property(anyText, text => {
        for (const parse of [parseReference, parseRepository, parseRegistry]) {
          try {
            parse(text)
          } catch (error) {
            if (!(error instanceof DrayError)) throw error
            expect(error.code).toBe('INVALID_REFERENCE')
            expect(error.message).not.toMatch(/[\p{Cc}\p{Cf}\p{Cs}\p{Zl}\p{Zp}]/u)
            continue
          }
          if (parse === parseReference) {
            const reference = parseReference(text)
            expect(parseReference(formatReference(reference))).toEqual(reference)
          }
        }
      }),
      { numRuns: 5000 },
    )
  })

  it('reading takes time in proportion to the length', () => {
    const bombs = ['a-', 'a_', 'a', '-', '/', ':', '.', '[:', 'A.', '/v2', 'https://'].map(
      piece => `${piece.repeat(200_000)}!`,
    )
    const started = performance.now()
    for (const bomb of bombs) {
      for (const text of [bomb, `h.io/${bomb}`, `${bomb}/a`, `a:${bomb}`, `a@sha256:${bomb}`]) {
        expect(() => parseReference(text)).toThrow(DrayError)
        expect(() => parseRegistry(text)).toThrow(DrayError)
      }
    }
    // Quadratic work on 200,000 characters takes minutes.
    expect(performance.now() - started).toBeLessThan(5000)
  })
})
