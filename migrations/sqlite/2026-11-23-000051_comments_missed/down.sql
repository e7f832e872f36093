DROP INDEX comments_missed;
