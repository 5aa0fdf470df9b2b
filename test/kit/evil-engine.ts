/** A real HTTP server that behaves as a test says, and counts who is connected. Closed with the test. */
import { createServer, type RequestListener } from 'node:http';
import { createServer as createTcpServer, type Server, type Socket } from 'node:net';
import { onTestFinished } from 'vitest';

export interface EvilEngine {
  readonly port: number;
  readonly endpoint: string;
  /** Most connections open at one time so far. */
  readonly mostSockets: () => number;
  readonly openSockets: () => number;
  /** Connections made so far. */
  readonly sockets: () => number;
}

const listen = (server: Server): Promise<EvilEngine> =>
  new Promise((resolve, reject) => {
    const sockets = new Set<Socket>();
    let [most, made] = [0, 0];
    server.on('connection', (socket: Socket) => {
      sockets.add(socket);
      made += 1;
      most = Math.max(most, sockets.size);
      socket.on('error', () => socket.destroy());
      socket.on('close', () => sockets.delete(socket));
    });
    onTestFinished(() => {
      for (const socket of sockets) socket.destroy();
      server.close();
    });
    server.on('error', reject);
    server.listen(0, '127.0.0.1', () => {
      const address = server.address();
      if (typeof address !== 'object' || address === null) return reject(new Error('no port'));
      const { port } = address;
      resolve({
        port,
        endpoint: `http://127.0.0.1:${port}`,
        mostSockets: () => most,
        openSockets: () => sockets.size,
        sockets: () => made,
      });
    });
  });

export const httpEngine = (listener: RequestListener): Promise<EvilEngine> => listen(createServer(listener));
export const tcpEngine = (onSocket: (socket: Socket) => void): Promise<EvilEngine> => listen(createTcpServer(onSocket));
