import ssh2, { type Attributes, type Connection, type Session, type SFTPWrapper } from "ssh2";

const { OPEN_MODE, STATUS_CODE } = ssh2.utils.sftp;

const REGULAR_FILE = 0o100_644;

/** What the server of the tests is given, and keeps. */
export interface SshServerInit {
  readonly hostKey: string;
  readonly password: string;
  /** What `exec` is to do with what it is sent. */
  readonly run: (command: string, input: Buffer) => string;
  /** The files that sftp reads and writes, by path. */
  readonly files: Map<string, Buffer>;
}

/** ssh2's own server, with one account, `exec`, and sftp on files in memory. */
export function sshServer({ hostKey, password, run, files }: SshServerInit): ssh2.Server {
  return new ssh2.Server({ hostKeys: [hostKey] }, (connection: Connection) => {
    connection.on("authentication", (context) => {
      if (context.method === "password" && context.password === password) context.accept();
      else context.reject(["password"]);
    });
    connection.on("session", (accept) => serveSession(accept(), run, files));
    connection.on("error", () => {});
  });
}

function serveSession(
  session: Session,
  run: SshServerInit["run"],
  files: Map<string, Buffer>,
): void {
  session.on("exec", (accept, _reject, { command }) => {
    const channel = accept();
    const input: Buffer[] = [];
    channel.on("data", (chunk: Buffer) => input.push(chunk));
    channel.on("end", () => {
      channel.stderr.write(`ran ${command}`);
      channel.write(run(command, Buffer.concat(input)));
      channel.exit(7);
      channel.end();
    });
  });
  session.on("sftp", (accept) => serveFiles(accept(), files));
}

function serveFiles(sftp: SFTPWrapper, files: Map<string, Buffer>): void {
  const open = new Map<number, string>();
  const pathOf = (handle: Buffer): string => open.get(handle.readUInt32BE()) ?? "";
  sftp.on("OPEN", (request, path, flags) => {
    if ((flags & OPEN_MODE.TRUNC) !== 0) files.set(path, Buffer.alloc(0));
    if (!files.has(path)) {
      sftp.status(request, STATUS_CODE.NO_SUCH_FILE);
      return;
    }
    const handle = Buffer.alloc(4);
    handle.writeUInt32BE(open.size);
    open.set(open.size, path);
    sftp.handle(request, handle);
  });
  sftp.on("WRITE", (request, handle, offset, data) => {
    const before = files.get(pathOf(handle)) ?? Buffer.alloc(0);
    const after = Buffer.alloc(Math.max(before.length, offset + data.length));
    before.copy(after);
    data.copy(after, offset);
    files.set(pathOf(handle), after);
    sftp.status(request, STATUS_CODE.OK);
  });
  sftp.on("READ", (request, handle, offset, length) => {
    const data = files.get(pathOf(handle))?.subarray(offset, offset + length);
    if (data === undefined || data.length === 0) sftp.status(request, STATUS_CODE.EOF);
    else sftp.data(request, data);
  });
  sftp.on("FSTAT", (request, handle) => {
    sftp.attrs(request, attributes(files.get(pathOf(handle))?.length ?? 0));
  });
  sftp.on("CLOSE", (request) => sftp.status(request, STATUS_CODE.OK));
}

function attributes(size: number): Attributes {
  return { mode: REGULAR_FILE, uid: 0, gid: 0, size, atime: 0, mtime: 0 };
}
