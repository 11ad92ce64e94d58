import { BlockList, isIP } from 'node:net'
import { DrayError, quote } from '../errors.ts'

/**
 * Whether a list of hosts in the form of `NO_PROXY` names the host of a URL. The rules are Go's, since docker, crane and
 * skopeo have them:
 *
 * - `example.com` is that host and every one below it, `.example.com` and `*.example.com` are those below it only (for curl
 *   `.example.com` is the host too, and `*.` means nothing)
 * - an address, in brackets or not, and a network (`10.0.0.0/8`, `fd00::/8`) are for URLs that hold an address; names are
 *   not looked up
 * - any of them but a network may end in `:port` (which curl does not know)
 * - `*` is every host, wherever it stands (for curl only alone)
 *
 * Entries are separated by commas, or blanks, which Go does not take for a separator.
 *
 * @throws DrayError `USAGE` for an entry that is none of these
 */
export function isExcepted(url: URL, list: string): boolean {
  const target = {
    host: withoutDot(url.hostname),
    port: url.port || (url.protocol === 'https:' ? '443' : '80'),
  }
  const entries = list.split(/[\s,]+/).filter(entry => entry !== '')
  return entries.map(parseEntry).some(names => names(target))
}

interface Target {
  readonly host: string
  readonly port: string
}

type Entry = (target: Target) => boolean

function parseEntry(text: string): Entry {
  if (text === '*') return () => true
  const [, network, bits] = /^([^/]*)\/(\d{1,3})$/.exec(text) ?? []
  if (network !== undefined && bits !== undefined) return networkEntry(text, network, Number(bits))
  const isAddress = isIP(text) !== 0
  const [, host, port] = isAddress ? ['', text] : (/^(\[[^\]]*\]|[^:]*)(?::(\d{1,5}))?$/.exec(text) ?? [])
  if (host === undefined || host === '') throw senseless(text)
  const names = isIP(bare(host)) === 0 ? nameEntry(text, host) : networkEntry(text, host)
  return target => names(target) && (port === undefined || Number(port) === Number(target.port))
}

/** An address is the network that holds nothing else. */
function networkEntry(text: string, address: string, bits?: number): Entry {
  const version = isIP(bare(address))
  const length = version === 4 ? 32 : 128
  if (version === 0 || (bits ?? length) > length) throw senseless(text)
  const network = new BlockList()
  network.addSubnet(bare(address), bits ?? length, `ipv${version === 4 ? 4 : 6}`)
  return ({ host }) => isIP(bare(host)) !== 0 && network.check(bare(host), isIP(host) === 4 ? 'ipv4' : 'ipv6')
}

function nameEntry(text: string, host: string): Entry {
  const [, below, name = ''] = /^(\*?\.)?(.*)$/.exec(withoutDot(host)) ?? []
  const ascii = asciiName(name)
  if (ascii === undefined) throw senseless(text)
  return target => target.host.endsWith(`.${ascii}`) || (below === undefined && target.host === ascii)
}

/** As URLs have it: in lower case, and without letters beyond ASCII. Other patterns (`10.*`) fit no host, as in Go. */
function asciiName(name: string): string | undefined {
  if (name.includes('*')) return name
  const url = /^[^/@?#\\]+$/.test(name) ? `http://${name}` : ''
  return URL.canParse(url) ? new URL(url).hostname : undefined
}

function bare(host: string): string {
  return host.replace(/^\[(.*)\]$/, '$1')
}

function withoutDot(host: string): string {
  return host.replace(/\.$/, '')
}

function senseless(text: string): DrayError {
  // What stands before an @ may be a password.
  const shown = quote(text.replace(/^.*@/, '…@'))
  return new DrayError('USAGE', `NO_PROXY holds ${shown}, which is neither a host nor a network`, {
    hint: 'for example localhost,.example.com,registry:5000,10.0.0.0/8',
  })
}
