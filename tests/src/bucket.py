"""An object store with the S3 API (moto), on the loopback, until standard input ends. Prints its address.

With a folder as the argument it speaks TLS, with a certificate of its own: `ca.pem` in that folder.
"""

import asyncio
import datetime
import ipaddress
import ssl
import sys
import threading
from pathlib import Path

import boto3
from cryptography import x509
from cryptography.hazmat.primitives import hashes, serialization
from cryptography.hazmat.primitives.asymmetric import ec
from moto.server import ThreadedMotoServer


def make_certificate(folder):
    """Writes a key and a certificate for the loopback that is signed with it."""
    key = ec.generate_private_key(ec.SECP256R1())
    name = x509.Name([x509.NameAttribute(x509.NameOID.COMMON_NAME, "an object store of a test")])
    now = datetime.datetime.now(datetime.timezone.utc)
    certificate = (
        x509.CertificateBuilder(name, name, key.public_key(), x509.random_serial_number())
        .not_valid_before(now - datetime.timedelta(days=1))
        .not_valid_after(now + datetime.timedelta(days=1))
        .add_extension(x509.SubjectAlternativeName([x509.IPAddress(ipaddress.ip_address("127.0.0.1"))]), critical=False)
        .add_extension(x509.BasicConstraints(ca=False, path_length=None), critical=True)
        .sign(key, hashes.SHA256())
    )
    pem, plain = serialization.Encoding.PEM, serialization.NoEncryption()
    (folder / "key.pem").write_bytes(key.private_bytes(pem, serialization.PrivateFormat.PKCS8, plain))
    (folder / "ca.pem").write_bytes(certificate.public_bytes(pem))


async def carry(reader, writer):
    try:
        while data := await reader.read(1 << 16):
            writer.write(data)
            await writer.drain()
    except OSError:
        pass
    finally:
        writer.close()


async def speak_tls(folder, port, started):
    """Carries what arrives over TLS to the store."""
    context = ssl.SSLContext(ssl.PROTOCOL_TLS_SERVER)
    context.load_cert_chain(folder / "ca.pem", folder / "key.pem")

    async def accept(reader, writer):
        store_reader, store_writer = await asyncio.open_connection("127.0.0.1", port)
        await asyncio.gather(carry(reader, store_writer), carry(store_reader, writer))

    listener = await asyncio.start_server(accept, "127.0.0.1", 0, ssl=context)
    started(listener.sockets[0].getsockname()[1])
    await listener.serve_forever()


server = ThreadedMotoServer(ip_address="127.0.0.1", port=0, verbose=False)
server.start()
host, port = server.get_host_and_port()
endpoint = f"http://{host}:{port}"
boto3.client("s3", endpoint_url=endpoint, region_name="us-east-1", aws_access_key_id="k", aws_secret_access_key="s").create_bucket(Bucket="risk")
if len(sys.argv) > 1:
    folder = Path(sys.argv[1])
    make_certificate(folder)
    say = lambda secure: print(f"https://127.0.0.1:{secure}", flush=True)
    threading.Thread(target=lambda: asyncio.run(speak_tls(folder, port, say)), daemon=True).start()
else:
    print(endpoint, flush=True)
sys.stdin.read()
server.stop()
