import { mkdir, writeFile } from 'node:fs/promises'
import { join } from 'node:path'
import type { KeyPair } from './certificates.ts'
import { onFreePort } from './free-port.ts'
import { start } from './run.ts'
import { makeTempDir } from './temp-dir.ts'

export interface NginxOptions {
  /** What it stands in front of: `http://127.0.0.1:PORT`. */
  readonly upstream: string
  readonly tls: KeyPair
  /** The path of a PEM file; with it nginx asks for a client certificate of that authority. */
  readonly clientAuthority?: string | undefined
  /** `TLSv1.2`, `TLSv1.3`; both if not given. */
  readonly protocols?: readonly string[] | undefined
}

/** Debian's nginx with TLS on a free port of 127.0.0.1, in front of another server. */
export interface Nginx extends AsyncDisposable {
  /** `127.0.0.1:PORT`. */
  readonly host: string
}

/** Starts nginx and returns when it listens. */
export async function startNginx(options: NginxOptions): Promise<Nginx> {
  await using starting = new AsyncDisposableStack()
  const folder = starting.use(await makeTempDir())
  await mkdir(join(folder.path, 'logs'))
  const { port, running } = await onFreePort(async port => {
    const file = join(folder.path, 'nginx.conf')
    await writeFile(file, configuration(port, folder.path, options))
    const running = await start('nginx', ['-p', folder.path, '-e', 'stderr', '-c', file])
    await running.printed(/start worker process|getrlimit/)
    return { port, running }
  })
  starting.use(running)
  const started = starting.move()
  return { host: `127.0.0.1:${port}`, [Symbol.asyncDispose]: () => started.disposeAsync() }
}

function configuration(port: number, folder: string, options: NginxOptions): string {
  const { upstream, tls, clientAuthority, protocols = ['TLSv1.2', 'TLSv1.3'] } = options
  const temporary = ['client_body', 'proxy', 'fastcgi', 'uwsgi', 'scgi']
  return `
daemon off;
master_process off;
pid ${join(folder, 'nginx.pid')};
error_log stderr notice;
events {}
http {
  access_log off;
  ${temporary.map(name => `${name}_temp_path ${join(folder, name)};`).join('\n  ')}
  server {
    listen 127.0.0.1:${port} ssl;
    ssl_certificate ${tls.certificate};
    ssl_certificate_key ${tls.key};
    ssl_protocols ${protocols.join(' ')};
    ${clientAuthority === undefined ? '' : `ssl_client_certificate ${clientAuthority};\n    ssl_verify_client on;`}
    client_max_body_size 0;
    location / {
      proxy_pass ${upstream};
      proxy_set_header Host $http_host;
      proxy_set_header X-Forwarded-For $proxy_add_x_forwarded_for;
      proxy_set_header X-Forwarded-Proto https;
    }
  }
}
`
}
