use super::*;

/// The outcome of reading `answer` in pieces of `size` bytes: status, body and how much was left over.
fn read(answer: &[u8], size: usize, cache: &mut HeadCache) -> Result<(u16, Vec<u8>, usize), String> {
    let mut reader = Reader::default();
    let mut used = 0;
    for piece in answer.chunks(size) {
        used += reader
            .feed(piece, cache, &|_| true)
            .map_err(|error| error.to_string())?;
        if reader.is_done() {
            break;
        }
    }
    reader.end().map_err(|error| error.to_string())?;
    let response = reader.take_response().ok_or("not kept")?;
    Ok((response.status, response.body, answer.len() - used))
}

/// Status, body and what is left over, or what the refusal says.
type Expected = Result<(u16, &'static str, usize), &'static str>;

#[test]
fn an_answer_is_the_same_in_whatever_pieces_it_comes() {
    let table: [(&str, Expected); 22] = [
        (
            "HTTP/1.1 200 OK\r\nContent-Length: 5\r\n\r\nhello",
            Ok((200, "hello", 0)),
        ),
        (
            "HTTP/1.1 200 OK\r\nContent-Length: 5\r\n\r\nhelloHTTP/1.1",
            Ok((200, "hello", 8)),
        ),
        ("HTTP/1.1 204 No Content\r\n\r\n", Ok((204, "", 0))),
        (
            "HTTP/1.1 304 Not Modified\r\nContent-Length: 9\r\n\r\n",
            Ok((304, "", 0)),
        ),
        (
            "HTTP/1.1 100 Continue\r\n\r\nHTTP/1.1 201 Created\r\nContent-Length: 1\r\n\r\nx",
            Ok((201, "x", 0)),
        ),
        (
            "HTTP/1.1 103 Early Hints\r\nLink: </a>\r\n\r\nHTTP/1.1 200 OK\r\n\r\nxyz",
            Ok((200, "xyz", 0)),
        ),
        ("HTTP/1.0 200 OK\r\n\r\nuntil the end", Ok((200, "until the end", 0))),
        (
            "HTTP/1.1 200 OK\r\nTransfer-Encoding: chunked\r\n\r\n3\r\nabc\r\nA;x=y\r\n0123456789\r\n0\r\n\r\n",
            Ok((200, "abc0123456789", 0)),
        ),
        (
            "HTTP/1.1 200 OK\r\nTransfer-Encoding: Chunked\r\n\r\n1\r\na\r\n0\r\nTrailer: x\r\nB: c\r\n\r\nrest",
            Ok((200, "a", 4)),
        ),
        (
            "HTTP/1.1 200 OK\r\nContent-Length: 5\r\nContent-Length: 5\r\n\r\nhello",
            Ok((200, "hello", 0)),
        ),
        (
            "HTTP/1.1 200 OK\r\nContent-Length: 5\r\nContent-Length: 6\r\n\r\nhello!",
            Err("two lengths"),
        ),
        (
            "HTTP/1.1 200 OK\r\nContent-Length: 5\r\n\r\nhell",
            Err("200 with a body that breaks off"),
        ),
        (
            "HTTP/1.1 200 OK\r\nContent-Length: -5\r\n\r\nhell",
            Err("a length that is no number"),
        ),
        (
            "HTTP/1.1 200 OK\r\nContent-Length: 99999999999999999999\r\n\r\n",
            Err("a length that is no number"),
        ),
        (
            "HTTP/1.1 200 OK\r\nContent-Length: 9999999999\r\n\r\n",
            Err("body of more than"),
        ),
        (
            "HTTP/1.1 200 OK\r\nTransfer-Encoding: gzip\r\n\r\n",
            Err("transfer encoding"),
        ),
        (
            "HTTP/1.1 200 OK\r\nTransfer-Encoding: chunked\r\n\r\nxyz\r\n",
            Err("chunk size"),
        ),
        (
            "HTTP/1.1 200 OK\r\nTransfer-Encoding: chunked\r\n\r\n3\r\nabcd\r\n",
            Err("does not end where"),
        ),
        (
            "HTTP/1.1 200 OK\r\nTransfer-Encoding: chunked\r\n\r\n3\r\nabc\r\n",
            Err("breaks off"),
        ),
        ("HTTP/1.1 101 Switching Protocols\r\n\r\n", Err("101")),
        ("SSH-2.0-OpenSSH_9.2\r\n", Err("not HTTP")),
        ("", Err("closed without an answer")),
    ];
    for (answer, expected) in table {
        for size in [1, 2, 3, 7, 64, 4096] {
            for mut cache in [HeadCache::default(), warm(answer)] {
                let got = read(answer.as_bytes(), size, &mut cache);
                match (&got, &expected) {
                    (Ok((status, body, left)), Ok(expected)) => {
                        let body = std::str::from_utf8(body).unwrap();
                        // What lies beyond the piece in which the answer ends was never offered.
                        assert_eq!((*status, body), (expected.0, expected.1), "{answer:?} by {size}");
                        assert_eq!(*left, expected.2, "{answer:?} by {size}");
                    }
                    (Err(got), Err(expected)) => assert!(got.contains(expected), "{answer:?} by {size}: {got}"),
                    _ => panic!("{answer:?} by {size}: {got:?}"),
                }
            }
        }
    }
}

/// A cache that has seen this answer.
fn warm(answer: &str) -> HeadCache {
    let mut cache = HeadCache::default();
    drop(read(answer.as_bytes(), 4096, &mut cache));
    cache
}

#[test]
fn an_answer_that_ends_the_connection_says_so() {
    let table = [
        ("HTTP/1.1 200 OK\r\nContent-Length: 0\r\n\r\n", false),
        (
            "HTTP/1.1 200 OK\r\nContent-Length: 0\r\nConnection: close\r\n\r\n",
            true,
        ),
        (
            "HTTP/1.1 200 OK\r\nContent-Length: 0\r\nConnection: x, Close\r\n\r\n",
            true,
        ),
        ("HTTP/1.0 200 OK\r\nContent-Length: 0\r\n\r\n", true),
        (
            "HTTP/1.0 200 OK\r\nContent-Length: 0\r\nConnection: keep-alive\r\n\r\n",
            false,
        ),
        ("HTTP/1.1 200 OK\r\n\r\n", true),
    ];
    for (answer, closes) in table {
        let mut reader = Reader::default();
        reader
            .feed(answer.as_bytes(), &mut HeadCache::default(), &|_| false)
            .unwrap();
        assert_eq!(reader.head().unwrap().closes, closes, "{answer:?}");
    }
}

#[test]
fn a_head_without_end_is_refused() {
    let mut reader = Reader::default();
    let mut cache = HeadCache::default();
    reader.feed(b"HTTP/1.1 200 OK\r\nX: ", &mut cache, &|_| false).unwrap();
    let filler = [b'x'; 1024];
    let refused = (0..100).find_map(|_| reader.feed(&filler, &mut cache, &|_| false).err());
    assert!(refused.unwrap().to_string().contains("a head of more than"));
}

#[test]
fn the_answer_to_head_or_connect_is_a_head_whatever_it_says_of_a_body() {
    for head in [
        "HTTP/1.1 200 OK\r\nContent-Length: 5\r\n\r\n",
        "HTTP/1.1 200 OK\r\nTransfer-Encoding: chunked\r\n\r\n",
        "HTTP/1.1 200 OK\r\n\r\n",
        "HTTP/1.1 100 Continue\r\n\r\nHTTP/1.1 200 OK\r\nContent-Length: 99999999999\r\n\r\n",
    ] {
        let mut reader = Reader::default();
        reader.begin_head_only();
        let answer = format!("{head}rest");
        let used = reader
            .feed(answer.as_bytes(), &mut HeadCache::default(), &|_| false)
            .unwrap();
        assert!(reader.is_done() && used == head.len(), "{head:?}");
        assert_eq!(reader.head().unwrap().status, 200, "{head:?}");
    }
}
