module example.com/groundswell

go 1.19
