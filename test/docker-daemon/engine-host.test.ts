import { describe, expect, it } from 'vitest'
import { defaultEngineHosts, parseEngineHost } from '../../src/docker-daemon/engine-host.ts'

describe('where an engine listens', () => {
  it.each([
    ['unix:///var/run/docker.sock', { socketPath: '/var/run/docker.sock' }],
    ['unix:///a b/c:d@e.sock', { socketPath: '/a b/c:d@e.sock' }],
    ['npipe:////./pipe/docker_engine', { socketPath: '\\\\.\\pipe\\docker_engine' }],
    ['tcp://127.0.0.1:2375', { host: '127.0.0.1', port: 2375, isSecure: false }],
    ['tcp://build.internal', { host: 'build.internal', port: undefined, isSecure: false }],
    ['tcp://[::1]:80', { host: '::1', port: 80, isSecure: false }],
    ['http://localhost:80/', { host: 'localhost', port: 80, isSecure: false }],
    ['https://build.internal:2376', { host: 'build.internal', port: 2376, isSecure: true }],
  ])('%s', (text, at) => {
    expect(parseEngineHost(text)).toEqual({ name: text, at })
  })

  it.each([
    '',
    '/var/run/docker.sock',
    'unix://',
    'unix://docker.sock',
    'npipe://',
    'fd://',
    'tcp://',
    'tcp://host:port',
    'tcp://host/base',
    'tcp://user:secret@host:1',
  ])('is not %j', text => {
    expect(() => parseEngineHost(text)).toThrow(expect.objectContaining({ code: 'USAGE' }))
  })

  it.each(['tcp://user:secret@host:1', 'ssh://user:secret@host'])(
    '%s does not appear in messages with its password',
    text => {
      expect(() => parseEngineHost(text)).toThrow(
        expect.objectContaining({ message: expect.not.stringContaining('secret') }),
      )
    },
  )

  it('cannot be behind ssh, but its socket can be forwarded', () => {
    expect(() => parseEngineHost('ssh://host')).toThrow(
      expect.objectContaining({ code: 'UNSUPPORTED', hint: expect.stringContaining('ssh -NL') }),
    )
  })

  it('where nobody says: the machine’s docker, the user’s, then podman', () => {
    const places = { platform: 'linux', homeDir: '/home/u', runtimeDir: '/run/user/1' } as const
    expect(defaultEngineHosts(places)).toEqual([
      'unix:///var/run/docker.sock',
      'unix:///run/user/1/docker.sock',
      'unix:///home/u/.docker/run/docker.sock',
      'unix:///home/u/.docker/desktop/docker.sock',
      'unix:///run/user/1/podman/podman.sock',
      'unix:///run/podman/podman.sock',
    ])
    expect(defaultEngineHosts({ platform: 'win32', homeDir: 'C:\\u' })).toEqual([
      'npipe:////./pipe/docker_engine',
    ])
  })
})
