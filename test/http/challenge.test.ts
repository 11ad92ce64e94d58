import fc from 'fast-check'
import { describe, expect, it } from 'vitest'
import { parseChallenges } from '../../src/http/challenge.ts'

type Parsed = [scheme: string, parameters: Record<string, string>]

function parse(...lines: string[]): Parsed[] {
  return parseChallenges(lines).map(({ scheme, parameters }) => [scheme, { ...parameters }])
}

const realm = 'https://h/token'

describe('challenges are read', () => {
  it.each<[what: string, header: string, expected: Parsed[]]>([
    ['Basic alone', 'Basic', [['basic', {}]]],
    ['with a realm', 'Basic realm="a b"', [['basic', { realm: 'a b' }]]],
    ['in any case', 'BEARER Realm="x",SERVICE="y"', [['bearer', { realm: 'x', service: 'y' }]]],
    [
      'without quotes',
      `Bearer realm=${realm}?a=b,service=gcr.io`,
      [['bearer', { realm: `${realm}?a=b`, service: 'gcr.io' }]],
    ],
    [
      'some with quotes, some without',
      `Bearer realm="${realm}",service=gcr.io`,
      [['bearer', { realm, service: 'gcr.io' }]],
    ],
    ['without a service', `Bearer realm="${realm}"`, [['bearer', { realm }]]],
    [
      'with commas and spaces inside of quotes',
      'Bearer scope="repository:a:pull,push repository:b:pull",service="s"',
      [['bearer', { scope: 'repository:a:pull,push repository:b:pull', service: 's' }]],
    ],
    [
      'with escaped quotes and backslashes',
      String.raw`Basic realm="a \"b\" \\ c"`,
      [['basic', { realm: String.raw`a "b" \ c` }]],
    ],
    [
      'with space around everything',
      '  Bearer   realm = "x" ,  service  =  y  ',
      [['bearer', { realm: 'x', service: 'y' }]],
    ],
    [
      'with parameters that only spaces part',
      'Bearer realm="x" service="y"',
      [['bearer', { realm: 'x', service: 'y' }]],
    ],
    [
      'several in one line',
      'Basic realm="a", Bearer realm="x",service="y", Digest nonce=1',
      [
        ['basic', { realm: 'a' }],
        ['bearer', { realm: 'x', service: 'y' }],
        ['digest', { nonce: '1' }],
      ],
    ],
    [
      'with empty elements between',
      ',,Basic realm="a",,,Bearer realm="x",',
      [
        ['basic', { realm: 'a' }],
        ['bearer', { realm: 'x' }],
      ],
    ],
    [
      'behind a scheme with a token68',
      'Negotiate YWJj==, Basic realm="a"',
      [
        ['negotiate', {}],
        ['basic', { realm: 'a' }],
      ],
    ],
    [
      'behind a token68 that looks like a scheme',
      'Negotiate Basic, Bearer realm="x"',
      [
        ['negotiate', {}],
        ['bearer', { realm: 'x' }],
      ],
    ],
    ['with a quote that never ends', 'Bearer realm="x', [['bearer', { realm: 'x' }]]],
    ['with a value that is missing', 'Bearer service=s,realm=', [['bearer', { service: 's', realm: '' }]]],
    [
      'of a parameter that comes twice, the first',
      'Bearer realm="x",realm="y"',
      [['bearer', { realm: 'x' }]],
    ],
    [
      'with names of object members',
      'Bearer __proto__="x",constructor="y"',
      [['bearer', { ['__proto__']: 'x', constructor: 'y' }]],
    ],
  ])('%s', (_, header, expected) => {
    expect(parse(header)).toEqual(expected)
  })

  it.each<[registry: string, header: string, expected: Parsed[]]>([
    [
      'Docker Hub',
      'Bearer realm="https://auth.docker.io/token",service="registry.docker.io",scope="repository:library/alpine:pull"',
      [
        [
          'bearer',
          {
            realm: 'https://auth.docker.io/token',
            service: 'registry.docker.io',
            scope: 'repository:library/alpine:pull',
          },
        ],
      ],
    ],
    [
      'Harbor',
      'Bearer realm="https://h/service/token",service="harbor-registry",scope="repository:a:pull repository:b:pull"',
      [
        [
          'bearer',
          {
            realm: 'https://h/service/token',
            service: 'harbor-registry',
            scope: 'repository:a:pull repository:b:pull',
          },
        ],
      ],
    ],
    ['Harbor with an Authorization', 'Basic realm="harbor"', [['basic', { realm: 'harbor' }]]],
    [
      'Quay',
      'Bearer realm="https://quay.io/v2/auth",service="quay.io"',
      [['bearer', { realm: 'https://quay.io/v2/auth', service: 'quay.io' }]],
    ],
    [
      'gcr.io',
      'Bearer realm="https://gcr.io/v2/token",service=gcr.io',
      [['bearer', { realm: 'https://gcr.io/v2/token', service: 'gcr.io' }]],
    ],
    [
      'Artifact Registry',
      'Bearer realm="https://us-docker.pkg.dev/v2/token"',
      [['bearer', { realm: 'https://us-docker.pkg.dev/v2/token' }]],
    ],
    [
      'ACR',
      'Bearer realm="https://h/oauth2/token",service="h",scope="repository:r:metadata_read",error="invalid_token"',
      [
        [
          'bearer',
          {
            realm: 'https://h/oauth2/token',
            service: 'h',
            scope: 'repository:r:metadata_read',
            error: 'invalid_token',
          },
        ],
      ],
    ],
    [
      'ECR',
      'Basic realm="https://1.dkr.ecr.r.amazonaws.com/",service="ecr.amazonaws.com"',
      [['basic', { realm: 'https://1.dkr.ecr.r.amazonaws.com/', service: 'ecr.amazonaws.com' }]],
    ],
    [
      'GitLab',
      'Bearer realm="https://gitlab.com/jwt/auth",service="container_registry",scope="repository:g/p:pull",error="invalid_token"',
      [
        [
          'bearer',
          {
            realm: 'https://gitlab.com/jwt/auth',
            service: 'container_registry',
            scope: 'repository:g/p:pull',
            error: 'invalid_token',
          },
        ],
      ],
    ],
    [
      'Artifactory',
      'Bearer realm="https://h:443/artifactory/api/docker/KEY/v2/token",service="h:443",scope="repository:node:pull"',
      [
        [
          'bearer',
          {
            realm: 'https://h:443/artifactory/api/docker/KEY/v2/token',
            service: 'h:443',
            scope: 'repository:node:pull',
          },
        ],
      ],
    ],
    [
      'Docker Trusted Registry',
      'Bearer realm="https://h/auth/token",service="dtr",scope="registry:catalog:*"',
      [['bearer', { realm: 'https://h/auth/token', service: 'dtr', scope: 'registry:catalog:*' }]],
    ],
  ])('of %s', (_, header, expected) => {
    expect(parse(header)).toEqual(expected)
  })

  it('on several lines, in order', () => {
    expect(parse('Bearer realm="x"', 'Basic realm="y"')).toEqual([
      ['bearer', { realm: 'x' }],
      ['basic', { realm: 'y' }],
    ])
  })

  it.each(['', ' ', ',', ',,, ,', '="x"', '"Basic"', '\u0000', '()<>@'])(
    'and none is made up from %j',
    header => {
      expect(parse(header)).toEqual([])
    },
  )

  it('as they were written, whatever the parameters hold', () => {
    const name = fc.stringMatching(/^[a-z_]{1,8}$/)
    const value = fc.string({ unit: 'grapheme-ascii', maxLength: 20 })
    const written = fc.tuple(
      fc.constantFrom('bearer', 'basic', 'digest'),
      fc.dictionary(name, value, { minKeys: 1, maxKeys: 4 }),
    )
    fc.assert(
      fc.property(fc.array(written, { maxLength: 4 }), challenges => {
        const quoted = (text: string) => `"${text.replace(/["\\]/g, String.raw`\$&`)}"`
        const line = challenges
          .map(
            ([scheme, parameters]) =>
              `${scheme} ${Object.entries(parameters)
                .map(([key, text]) => `${key}=${quoted(text)}`)
                .join(',')}`,
          )
          .join(', ')
        expect(parse(line)).toEqual(challenges.map(([scheme, parameters]) => [scheme, { ...parameters }]))
      }),
    )
  })

  it.each([
    ['opening quotes', 'Basic a="'],
    ['backslashes', 'Basic a="\\'],
    ['spaces', 'Basic a '],
    ['equals signs', 'Basic a=='],
    ['commas', ',  ,'],
    ['schemes', 'Basic '],
  ])('in time that grows with the length only, for many %s', (_, piece) => {
    const time = (count: number) => {
      const line = piece.repeat(count)
      const start = performance.now()
      parseChallenges([line])
      return performance.now() - start
    }
    time(1000)
    // Ten times what a server may send, and enough for quadratic time to take minutes.
    expect(time(50_000)).toBeLessThan(2_000)
  })

  it('out of anything at all without an error', () => {
    fc.assert(
      fc.property(fc.array(fc.string({ unit: 'binary' }), { maxLength: 3 }), lines => {
        const names = parseChallenges(lines).map(({ scheme }) => scheme)
        expect(names.join('')).toMatch(/^[!#$%&'*+\-.^_`|~0-9a-z]*$/)
      }),
    )
  })
})
