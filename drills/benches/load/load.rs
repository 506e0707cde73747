//! Clients that cost little: requests as bytes made beforehand, a kept connection and a thread each.

use std::io::{self, Read, Write};
use std::net::TcpStream;
use std::sync::Barrier;
use std::time::{Duration, Instant};

use crate::median;

/// One kept connection.
pub(crate) struct Connection {
    stream: TcpStream,
    buffer: Vec<u8>,
}

impl Connection {
    pub(crate) fn open(port: u16) -> io::Result<Self> {
        let stream = TcpStream::connect(("127.0.0.1", port))?;
        stream.set_nodelay(true)?;
        stream.set_read_timeout(Some(Duration::from_secs(30)))?;
        Ok(Self {
            stream,
            buffer: vec![0; 16 * 1024],
        })
    }

    /// Sends a request and reads its answer whole; gives the status.
    pub(crate) fn round(&mut self, request: &[u8]) -> io::Result<u16> {
        self.stream.write_all(request)?;
        let mut have = 0;
        loop {
            let got = self.stream.read(&mut self.buffer[have..])?;
            if got == 0 {
                return Err(io::ErrorKind::UnexpectedEof.into());
            }
            have += got;
            if let Some((status, whole)) = head(&self.buffer[..have])
                && have >= whole
            {
                return Ok(status);
            }
        }
    }

    pub(crate) fn last(&self) -> String {
        String::from_utf8_lossy(&self.buffer)
            .trim_end_matches('\0')
            .to_owned()
    }
}

/// Status and whole length of an answer, once its head is there.
fn head(bytes: &[u8]) -> Option<(u16, usize)> {
    let end = bytes.windows(4).position(|w| w == b"\r\n\r\n")? + 4;
    let text = std::str::from_utf8(&bytes[..end]).ok()?;
    let status = text.get(9..12)?.parse().ok()?;
    let length = text.lines().find_map(|line| {
        let (name, value) = line.split_once(':')?;
        name.eq_ignore_ascii_case("content-length")
            .then(|| value.trim().parse::<usize>().ok())?
    });
    Some((status, end + length.unwrap_or(0)))
}

/// How a load went.
pub(crate) struct Load {
    wall: Duration,
    each_us: Vec<f64>,
}

impl Load {
    pub(crate) fn count(&self) -> f64 {
        self.each_us.len() as f64
    }

    pub(crate) fn rate(&self) -> f64 {
        self.count() / self.wall.as_secs_f64()
    }

    pub(crate) fn p50_us(&self) -> f64 {
        median(self.each_us.clone())
    }
}

/// Plays each lane's requests in order, all lanes at once. Anything but 200 ends the bench: it would be another figure.
pub(crate) async fn run(port: u16, lanes: Vec<Vec<Vec<u8>>>) -> Load {
    tokio::task::spawn_blocking(move || at_once(port, &lanes))
        .await
        .unwrap()
}

fn at_once(port: u16, lanes: &[Vec<Vec<u8>>]) -> Load {
    let start = Barrier::new(lanes.len() + 1);
    std::thread::scope(|scope| {
        let threads: Vec<_> = lanes
            .iter()
            .map(|requests| {
                let start = &start;
                scope.spawn(move || {
                    let mut connection = Connection::open(port).unwrap();
                    start.wait();
                    let play = |request: &Vec<u8>| {
                        let begun = Instant::now();
                        let status = connection.round(request).unwrap();
                        let took = begun.elapsed().as_secs_f64() * 1e6;
                        assert_eq!(status, 200, "{}", connection.last());
                        took
                    };
                    requests.iter().map(play).collect::<Vec<f64>>()
                })
            })
            .collect();
        start.wait();
        let begun = Instant::now();
        let each_us = threads
            .into_iter()
            .flat_map(|t| t.join().unwrap())
            .collect();
        Load {
            wall: begun.elapsed(),
            each_us,
        }
    })
}
