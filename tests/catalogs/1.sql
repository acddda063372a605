BEGIN TRANSACTION;
CREATE TABLE articles (
	"key" INTEGER NOT NULL, 
	path TEXT NOT NULL, 
	mtime_ns BIGINT NOT NULL, 
	size BIGINT NOT NULL, 
	inode BIGINT NOT NULL, 
	gone BOOLEAN NOT NULL, 
	refused TEXT, 
	refused_line INTEGER, 
	hash TEXT, 
	slug TEXT, 
	facts TEXT, 
	body TEXT, 
	published BIGINT, 
	expires BIGINT, 
	draft BOOLEAN NOT NULL, 
	id TEXT, 
	live BOOLEAN NOT NULL, 
	PRIMARY KEY ("key"), 
	UNIQUE (path), 
	UNIQUE (id)
);
INSERT INTO "articles" VALUES(1,'bad.md',1795456044161445939,1,2449892,0,'no date: give it a `date`, or a file name like 2026-01-24-a-title.md',1,NULL,NULL,NULL,NULL,NULL,NULL,0,NULL,0);
INSERT INTO "articles" VALUES(2,'draft.md',1795456044160895865,40,2449891,0,NULL,NULL,'8bca588e3f4fef350b122d8175e7455de966517aa45cdbfcf729dc2941101d27',NULL,'{"path": "draft.md", "name": "draft", "title": "draft", "published": "1970-01-01T00:00:00+00:00", "updated": "1970-01-01T00:00:00+00:00", "slug": "draft", "draft": true}','
Text.
',0,NULL,1,NULL,0);
INSERT INTO "articles" VALUES(3,'moved.md',1795456044160895865,75,2449888,0,NULL,NULL,'5c276b51cdb515b6cf923c915eac53ef3b9c5862be9da1313b863722b27871ee',NULL,'{"path": "moved.md", "name": "moved", "title": "a", "published": "2026-05-01T10:00:00+00:00", "updated": "2026-05-01T10:00:00+00:00", "slug": "moved", "categories": ["X y"], "tags": ["t"]}','
Text.
',1777629600000000,NULL,0,'tag:test.example,2026:a',1);
INSERT INTO "articles" VALUES(4,'sub/old.md',1795456044160895865,63,2449889,0,NULL,NULL,'cbae0606f53d2d56aa29c55e4c39a54ac5f47c9db71df1024de5d8cfa6c2dabf',NULL,'{"path": "sub/old.md", "name": "sub/old", "title": "b", "published": "2026-05-02T10:00:00+00:00", "updated": "2026-05-02T10:00:00+00:00", "slug": "old", "id": "urn:x:b"}','
Text.
',1777716000000000,NULL,0,'urn:x:b',1);
INSERT INTO "articles" VALUES(5,'later.md',1795456044160895865,69,2449890,0,NULL,NULL,'ba29db2644f4bab21624ad56b67eb8f8219899f740e32e25eb2e4169ea8c2262',NULL,'{"path": "later.md", "name": "later", "title": "later", "published": "2100-05-02T10:00:00+00:00", "updated": "2100-05-02T10:00:00+00:00", "slug": "later", "categories": ["X y"]}','
Text.
',4112935200000000,NULL,0,NULL,0);
CREATE TABLE entries (
	feed TEXT NOT NULL, 
	published BIGINT NOT NULL, 
	id TEXT NOT NULL, 
	article INTEGER NOT NULL, 
	name TEXT NOT NULL, 
	PRIMARY KEY (feed, published, id)
)
 WITHOUT ROWID

;
INSERT INTO "entries" VALUES('',1777629600000000,'tag:test.example,2026:a',3,'');
INSERT INTO "entries" VALUES('',1777716000000000,'urn:x:b',4,'');
INSERT INTO "entries" VALUES('category/x-y',1777629600000000,'tag:test.example,2026:a',3,'X y');
INSERT INTO "entries" VALUES('tag/t',1777629600000000,'tag:test.example,2026:a',3,'t');
CREATE TABLE feeds (
	path TEXT NOT NULL, 
	kind TEXT NOT NULL, 
	name TEXT NOT NULL, 
	entries INTEGER NOT NULL, 
	revision INTEGER NOT NULL, 
	changed BIGINT NOT NULL, 
	digest TEXT NOT NULL, 
	PRIMARY KEY (path)
);
INSERT INTO "feeds" VALUES('','site','',2,2,1795456046010190,'0e4fde0d420b2d39b0aedac4229019b2633afaaf9c41278004fac9d857149b52');
INSERT INTO "feeds" VALUES('category/x-y','category','X y',1,2,1795456046010190,'b6254a528f2b14d893a24b36271061cfda1c3df8966f55318583743072ea5e73');
INSERT INTO "feeds" VALUES('tag/t','tag','t',1,2,1795456046010190,'0583e0d85bfd775d9aba7390e0d0da5698c0496a3c488ce61e1d17c770c62c87');
CREATE TABLE meta (
	"key" TEXT NOT NULL, 
	value TEXT NOT NULL, 
	PRIMARY KEY ("key")
);
INSERT INTO "meta" VALUES('schema','1');
INSERT INTO "meta" VALUES('fingerprint','6fef587ac81bfd29b142a0c11a307ab3eb1dec562c0041fd8c2d582b41440999');
INSERT INTO "meta" VALUES('run','{"at": "2026-11-23T17:47:26.010190+00:00", "seconds": 0.025641651000114507, "outcome": "refused"}');
CREATE TABLE revisions (
	number INTEGER NOT NULL, 
	at BIGINT NOT NULL, 
	PRIMARY KEY (number)
);
INSERT INTO "revisions" VALUES(1,1795456044882939);
INSERT INTO "revisions" VALUES(2,1795456046010190);
CREATE INDEX articles_expiring ON articles (expires) WHERE expires IS NOT NULL;
CREATE INDEX articles_refused ON articles (path) WHERE refused IS NOT NULL;
CREATE INDEX articles_by_slug ON articles (slug) WHERE gone IS 1;
CREATE INDEX articles_waiting ON articles (published) WHERE live IS 0 AND gone IS 0 AND draft IS 0;
CREATE INDEX ix_entries_article ON entries (article);
COMMIT;
