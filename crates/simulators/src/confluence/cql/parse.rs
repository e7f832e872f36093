//! Text to tree. Errors are worded like the service's, without its prefix.

/// A whole query.
#[derive(Clone, Debug, PartialEq)]
pub(crate) struct Query {
    pub expr: Option<Expr>,
    pub order: Vec<OrderBy>,
}

impl Query {
    /// The fields that it names, and the types that it asks for.
    pub(crate) fn words(&self) -> Vec<&str> {
        let (mut words, mut open) = (Vec::new(), Vec::from_iter(&self.expr));
        while let Some(expr) = open.pop() {
            match expr {
                Expr::And(a, b) | Expr::Or(a, b) => open.extend([a.as_ref(), b.as_ref()]),
                Expr::Not(inner) => open.push(inner.as_ref()),
                Expr::Is(clause) => {
                    words.push(clause.field.as_str());
                    let types = clause.terms.iter().filter(|_| clause.field == "type");
                    words.extend(types.filter_map(|term| match term {
                        Term::Text(text) => Some(text.as_str()),
                        Term::Call(..) => None,
                    }));
                }
            }
        }
        words
    }
}

#[derive(Clone, Debug, PartialEq)]
pub(crate) struct OrderBy {
    pub field: String,
    pub descending: bool,
}

#[derive(Clone, Debug, PartialEq)]
pub(crate) enum Expr {
    And(Box<Expr>, Box<Expr>),
    Or(Box<Expr>, Box<Expr>),
    Not(Box<Expr>),
    Is(Clause),
}

#[derive(Clone, Debug, PartialEq)]
pub(crate) struct Clause {
    /// Lower case.
    pub field: String,
    pub op: Op,
    pub terms: Vec<Term>,
}

#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum Op {
    Is,
    IsNot,
    Like,
    NotLike,
    Greater,
    AtLeast,
    Less,
    AtMost,
    In,
    NotIn,
}

#[derive(Clone, Debug, PartialEq)]
pub(crate) enum Term {
    Text(String),
    Call(String, Vec<String>),
}

#[derive(Clone, Debug, PartialEq)]
enum Token {
    Word(String),
    Quoted(String),
    Op(Op),
    Open,
    Close,
    Comma,
}

/// Fields that may be asked for.
const FIELDS: &[&str] = &[
    "type",
    "space",
    "space.key",
    "space.id",
    "space.type",
    "id",
    "content",
    "ancestor",
    "parent",
    "container",
    "title",
    "text",
    "sitesearch",
    "label",
    "created",
    "lastmodified",
    "creator",
    "contributor",
    "mention",
];

pub(crate) fn parse(text: &str) -> Result<Query, String> {
    let tokens = lex(text)?;
    if tokens.is_empty() {
        return Err("the query is empty".into());
    }
    let mut parser = Parser { tokens, at: 0 };
    let expr = if parser.at_word("order") {
        None
    } else {
        Some(parser.or()?)
    };
    let order = parser.order()?;
    match parser.next() {
        None => Ok(Query { expr, order }),
        Some(extra) => Err(format!("unexpected token {extra:?}")),
    }
}

fn lex(text: &str) -> Result<Vec<Token>, String> {
    let mut tokens = Vec::new();
    let mut chars = text.chars().peekable();
    while let Some(&c) = chars.peek() {
        match c {
            c if c.is_whitespace() => {
                chars.next();
            }
            '(' | ')' | ',' => {
                chars.next();
                tokens.push(match c {
                    '(' => Token::Open,
                    ')' => Token::Close,
                    _ => Token::Comma,
                });
            }
            '"' | '\'' => {
                chars.next();
                let mut value = String::new();
                loop {
                    match chars.next() {
                        None => return Err("a quoted string has no end".into()),
                        Some('\\') => value.extend(chars.next()),
                        Some(end) if end == c => break,
                        Some(other) => value.push(other),
                    }
                }
                tokens.push(Token::Quoted(value));
            }
            '=' | '!' | '<' | '>' | '~' => {
                chars.next();
                let follow = chars.peek().copied();
                let (op, two) = match (c, follow) {
                    ('!', Some('=')) => (Op::IsNot, true),
                    ('!', Some('~')) => (Op::NotLike, true),
                    ('<', Some('=')) => (Op::AtMost, true),
                    ('>', Some('=')) => (Op::AtLeast, true),
                    ('<', _) => (Op::Less, false),
                    ('>', _) => (Op::Greater, false),
                    ('~', _) => (Op::Like, false),
                    ('=', _) => (Op::Is, false),
                    _ => return Err("'!' must be followed by '=' or '~'".into()),
                };
                if two {
                    chars.next();
                }
                tokens.push(Token::Op(op));
            }
            _ => {
                let mut word = String::new();
                while let Some(&c) = chars.peek() {
                    if c.is_whitespace() || "()=!<>~,\"'".contains(c) {
                        break;
                    }
                    word.push(c);
                    chars.next();
                }
                tokens.push(Token::Word(word));
            }
        }
    }
    Ok(tokens)
}

struct Parser {
    tokens: Vec<Token>,
    at: usize,
}

impl Parser {
    fn next(&mut self) -> Option<Token> {
        let token = self.tokens.get(self.at).cloned();
        self.at += 1;
        token
    }

    fn at_word(&self, word: &str) -> bool {
        matches!(self.tokens.get(self.at), Some(Token::Word(w)) if w.eq_ignore_ascii_case(word))
    }

    fn take_word(&mut self, word: &str) -> bool {
        let there = self.at_word(word);
        if there {
            self.at += 1;
        }
        there
    }

    fn or(&mut self) -> Result<Expr, String> {
        let mut left = self.and()?;
        while self.take_word("or") {
            left = Expr::Or(Box::new(left), Box::new(self.and()?));
        }
        Ok(left)
    }

    fn and(&mut self) -> Result<Expr, String> {
        let mut left = self.unary()?;
        while self.take_word("and") {
            left = Expr::And(Box::new(left), Box::new(self.unary()?));
        }
        Ok(left)
    }

    fn unary(&mut self) -> Result<Expr, String> {
        if self.take_word("not") {
            return Ok(Expr::Not(Box::new(self.unary()?)));
        }
        if self.tokens.get(self.at) == Some(&Token::Open) {
            self.at += 1;
            let inner = self.or()?;
            return match self.next() {
                Some(Token::Close) => Ok(inner),
                other => Err(format!("expected ')' but found {other:?}")),
            };
        }
        self.clause().map(Expr::Is)
    }

    fn clause(&mut self) -> Result<Clause, String> {
        let field = match self.next() {
            Some(Token::Word(word)) => word.to_lowercase(),
            other => return Err(format!("expected a field but found {other:?}")),
        };
        if !FIELDS.contains(&field.as_str()) {
            return Err(format!("No field exists with name: {field}"));
        }
        let op = match self.next() {
            Some(Token::Op(op)) => op,
            Some(Token::Word(word)) if word.eq_ignore_ascii_case("in") => Op::In,
            Some(Token::Word(word)) if word.eq_ignore_ascii_case("not") && self.take_word("in") => {
                Op::NotIn
            }
            other => {
                return Err(format!(
                    "expected an operator after '{field}' but found {other:?}"
                ));
            }
        };
        let terms = if matches!(op, Op::In | Op::NotIn) {
            self.list()?
        } else {
            vec![self.term()?]
        };
        Ok(Clause { field, op, terms })
    }

    fn list(&mut self) -> Result<Vec<Term>, String> {
        if self.next() != Some(Token::Open) {
            return Err("expected '(' after IN".into());
        }
        let mut terms = vec![self.term()?];
        loop {
            match self.next() {
                Some(Token::Comma) => terms.push(self.term()?),
                Some(Token::Close) => return Ok(terms),
                other => return Err(format!("expected ',' or ')' but found {other:?}")),
            }
        }
    }

    fn term(&mut self) -> Result<Term, String> {
        match self.next() {
            Some(Token::Quoted(text)) => Ok(Term::Text(text)),
            Some(Token::Word(word)) => {
                if self.tokens.get(self.at) != Some(&Token::Open) {
                    return Ok(Term::Text(word));
                }
                self.at += 1;
                let mut arguments = Vec::new();
                loop {
                    match self.next() {
                        Some(Token::Close) => {
                            return Ok(Term::Call(word.to_lowercase(), arguments));
                        }
                        Some(Token::Comma) => {}
                        Some(Token::Quoted(text) | Token::Word(text)) => arguments.push(text),
                        other => return Err(format!("expected an argument but found {other:?}")),
                    }
                }
            }
            other => Err(format!("expected a value but found {other:?}")),
        }
    }

    fn order(&mut self) -> Result<Vec<OrderBy>, String> {
        let mut order = Vec::new();
        if !self.take_word("order") {
            return Ok(order);
        }
        if !self.take_word("by") {
            return Err("expected BY after ORDER".into());
        }
        loop {
            let field = match self.next() {
                Some(Token::Word(word)) => word.to_lowercase(),
                other => return Err(format!("expected a field to order by but found {other:?}")),
            };
            if ![
                "created",
                "lastmodified",
                "title",
                "id",
                "space",
                "type",
                "creator",
            ]
            .contains(&field.as_str())
            {
                return Err(format!("Cannot order by field: {field}"));
            }
            let descending = self.take_word("desc");
            if !descending {
                self.take_word("asc");
            }
            order.push(OrderBy { field, descending });
            if self.tokens.get(self.at) != Some(&Token::Comma) {
                return Ok(order);
            }
            self.at += 1;
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn is(field: &str, op: Op, terms: &[&str]) -> Expr {
        let terms = terms.iter().map(|t| Term::Text((*t).into())).collect();
        Expr::Is(Clause {
            field: field.into(),
            op,
            terms,
        })
    }

    #[test]
    fn queries_of_clients_parse() {
        let query = parse(
            r#"space in ("ENG","~7120") and type = page and lastmodified >= now("-26h") order by lastmodified desc"#,
        );
        let query = query.unwrap();
        assert_eq!(
            query.order,
            [OrderBy {
                field: "lastmodified".into(),
                descending: true
            }]
        );
        let Some(Expr::And(left, right)) = query.expr else {
            panic!("not an AND")
        };
        assert_eq!(
            *left,
            Expr::And(
                Box::new(is("space", Op::In, &["ENG", "~7120"])),
                Box::new(is("type", Op::Is, &["page"]))
            )
        );
        let now = Term::Call("now".into(), vec!["-26h".into()]);
        assert_eq!(
            *right,
            Expr::Is(Clause {
                field: "lastmodified".into(),
                op: Op::AtLeast,
                terms: vec![now]
            })
        );
    }

    #[test]
    fn or_binds_weaker_than_and_and_not_stands_before() {
        let query =
            parse("type=page or not label != x and (title ~ \"a b\" or text !~ c)").unwrap();
        assert!(
            matches!(query.expr, Some(Expr::Or(_, right)) if matches!(*right, Expr::And(_, _)))
        );
    }

    #[test]
    fn what_is_wrong_is_refused() {
        for bad in [
            "",
            "type",
            "type =",
            "nosuch = 1",
            "type = page and",
            "type in page",
            "title ~ \"open",
            "(type = page",
            "type = page order lastmodified",
            "type = page order by nosuch",
            "type = page page",
        ] {
            assert!(parse(bad).is_err(), "{bad:?} passed");
        }
    }
}
