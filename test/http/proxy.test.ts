import { describe, expect, it } from 'vitest'
import { proxyFor } from '../../src/http/proxy.ts'

const both = { http: 'http://plain.corp:3128', https: 'http://secure.corp:3128' }
const chosen = (url: string, no?: string) => proxyFor(new URL(url), { ...both, no })?.url.host

describe('a URL goes through the proxy', () => {
  it('of its scheme, and of no other', () => {
    expect(chosen('http://reg.example/v2/')).toBe('plain.corp:3128')
    expect(chosen('https://reg.example/v2/')).toBe('secure.corp:3128')
    expect(proxyFor(new URL('https://reg.example/'), { http: both.http })).toBeUndefined()
    expect(proxyFor(new URL('http://reg.example/'), { https: both.https, http: '' })).toBeUndefined()
  })

  it.each(['http://localhost:5000', 'https://127.0.0.1', 'http://127.1.2.3:5000', 'https://[::1]:5000'])(
    'but for loopback: %s',
    url => {
      expect(chosen(url)).toBeUndefined()
    },
  )

  it.each(['http://169.254.170.2/v2/credentials/1', 'http://169.254.170.23/', 'http://[fd00:ec2::23]/v1/'])(
    'but for what answers this machine alone, such as the agent that has its keys: %s',
    url => {
      expect(chosen(url)).toBeUndefined()
    },
  )

  it.each(['http://169.254.example/', 'http://127.0.0.1.example/', 'http://[fd00:ec3::23]/'])(
    'also where its name only looks like that: %s',
    url => {
      expect(chosen(url)).toBe('plain.corp:3128')
    },
  )

  it('but for what NO_PROXY names, however absurd the proxy is then', () => {
    const settings = { https: 'no URL at all', no: 'reg.example' }
    expect(proxyFor(new URL('https://reg.example/'), settings)).toBeUndefined()
  })
})

describe('NO_PROXY', () => {
  it.each<[list: string, url: string]>([
    ['reg.example', 'https://reg.example/v2/'],
    ['reg.example', 'https://a.b.reg.example/v2/'],
    ['.reg.example', 'https://a.reg.example/v2/'],
    ['*.reg.example', 'https://a.b.reg.example/v2/'],
    ['REG.Example', 'https://reg.EXAMPLE/v2/'],
    ['reg.example.', 'https://reg.example/v2/'],
    ['reg.example', 'https://reg.example./v2/'],
    ['bücher.example', 'https://b%C3%BCcher.example/'],
    ['reg.example:5000', 'https://reg.example:5000/v2/'],
    ['.example:5000', 'http://reg.example:5000/v2/'],
    ['reg.example:443', 'https://reg.example/v2/'],
    ['reg.example:80', 'http://reg.example/v2/'],
    ['reg', 'http://reg:5000/'],
    ['10.1.2.3', 'https://10.1.2.3:5000/'],
    ['10.1.2.3:5000', 'https://10.1.2.3:5000/'],
    ['10.0.0.0/8', 'https://10.255.2.3/'],
    ['10.1.2.3/32', 'https://10.1.2.3/'],
    ['0.0.0.0/0', 'https://203.0.113.9/'],
    ['fd00::1', 'https://[fd00::1]:5000/'],
    ['[fd00::1]', 'https://[fd00:0:0::1]:5000/'],
    ['[fd00::1]:5000', 'https://[fd00::1]:5000/'],
    ['FD00:0:0::1', 'https://[fd00::1]/'],
    ['fd00::/8', 'https://[fdff:1::9]/'],
    ['[fd00::]/8', 'https://[fdff:1::9]/'],
    ['*', 'https://reg.example/'],
    ['x.example,*', 'https://[fd00::1]/'],
    ['x.example, reg.example', 'https://reg.example/'],
    ['x.example reg.example', 'https://reg.example/'],
    [' ,x.example,,\treg.example, ', 'https://reg.example/'],
  ])('%s names %s', (list, url) => {
    expect(chosen(url, list)).toBeUndefined()
  })

  it.each<[list: string, url: string]>([
    ['', 'https://reg.example/'],
    [' , ', 'https://reg.example/'],
    ['reg.example', 'https://notreg.example/'],
    ['reg.example', 'https://reg.example.org/'],
    ['.reg.example', 'https://reg.example/'],
    ['*.reg.example', 'https://reg.example/'],
    ['reg.example:5000', 'https://reg.example/'],
    ['reg.example:5000', 'https://reg.example:5001/'],
    ['10.1.2.3:5000', 'https://10.1.2.3/'],
    ['10.1.2.3', 'https://10.1.2.30/'],
    ['10.0.0.0/8', 'https://11.0.0.1/'],
    ['10.0.0.0/8', 'https://10.example/'],
    ['fd00::/8', 'https://[fe80::1]/'],
    ['[fd00::1]:5000', 'https://[fd00::1]/'],
    ['10.*', 'https://10.1.2.3/'],
    ['*example', 'https://reg.example/'],
  ])('%s does not name %s', (list, url) => {
    expect(chosen(url, list)).toBe('secure.corp:3128')
  })

  it.each([
    '10.0.0.0/33',
    'fd00::/129',
    '10.0.0.0/x',
    'reg.example/8',
    'http://reg.example',
    'reg.example:port',
    'reg.example:5000:1',
    ':5000',
    '[reg.example',
    'a@b',
  ])('%s makes no sense', entry => {
    expect(() => chosen('https://other.example/', `reg.example,${entry}`)).toThrow(
      expect.objectContaining({
        code: 'USAGE',
        message: expect.stringMatching(/^NO_PROXY holds "[^"]+", which is neither a host nor a network$/),
        hint: expect.stringContaining('10.0.0.0/8'),
      }),
    )
  })

  it('shows no password that got into it', () => {
    expect(() => chosen('https://reg.example/', 'http://user:hush@proxy:3128')).toThrow(
      expect.objectContaining({ message: expect.not.stringContaining('hush') }),
    )
  })
})

describe('the URL of a proxy', () => {
  const parsed = (https: string) => proxyFor(new URL('https://reg.example/'), { https })

  it.each([
    ['http://proxy:3128', 'http://proxy:3128/'],
    ['proxy:3128', 'http://proxy:3128/'],
    ['proxy', 'http://proxy/'],
    [' http://proxy:3128\n', 'http://proxy:3128/'],
    ['https://proxy', 'https://proxy/'],
    ['HTTP://proxy:3128/some/path?x', 'http://proxy:3128/'],
    ['http://[fd00::1]:3128', 'http://[fd00::1]:3128/'],
  ])('%s is taken as %s', (text, href) => {
    expect(parsed(text)).toEqual({ url: new URL(href), variable: 'HTTPS_PROXY' })
  })

  it.each([
    ['http://user:p%40ss%3A@proxy:3128', 'user:p@ss:'],
    ['user:pass@proxy:3128', 'user:pass'],
    ['http://user@proxy:3128', 'user:'],
    ['http://:pass@proxy:3128', ':pass'],
    ['http://us%20er:p%C3%A4ss@proxy:3128', 'us er:päss'],
  ])('%s holds a login, which is kept apart', (text, login) => {
    const proxy = parsed(text)
    expect(proxy?.url.href).toBe('http://proxy:3128/')
    expect(proxy?.authorization).toBe(`Basic ${Buffer.from(login).toString('base64')}`)
  })

  it.each(['http://[', 'a hush place', 'ftp://host', 'file:///x', 'socks5://host', 'http://u:hush%zz@proxy'])(
    'cannot be %s, which is not shown',
    text => {
      for (const [variable, url] of [
        ['HTTP_PROXY', 'http://reg.example/'],
        ['HTTPS_PROXY', 'https://reg.example/'],
      ] as const) {
        expect(() => proxyFor(new URL(url), { http: text, https: text })).toThrow(
          expect.objectContaining({
            code: 'USAGE',
            message: `${variable} is not the URL of an HTTP proxy`,
            hint: expect.not.stringContaining('hush'),
          }),
        )
        // The cause of an error is shown by --debug.
        expect(() => proxyFor(new URL(url), { http: text, https: text })).not.toThrow(
          expect.objectContaining({ cause: expect.anything() }),
        )
      }
    },
  )
})
