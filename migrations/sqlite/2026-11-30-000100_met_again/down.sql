-- The next decision sets it anew, whichever it is.
SELECT 1;
